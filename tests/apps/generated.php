<?php
// Burns CPU in a function that opcache's JIT compiles.
function burns_in_php(int $n): int
{
	$sum = 0;
	for ($i = 0; $i < $n; $i++) {
		$sum = ($sum * 31 + $i) % 1000003;
	}
	return $sum;
}

echo burns_in_php(3000000);
