<?php
// For `php -S`: /SECONDS sleeps in every way that PHP has, computing between, and says what ended early.
set_time_limit(0); // of CPU time: 30 s here
$stop = hrtime(true) + (float)substr($_SERVER['REQUEST_URI'], 1) * 1e9;
$wrong = [];
$tried = 0;
[$one, $two] = stream_socket_pair(STREAM_PF_UNIX, STREAM_SOCK_STREAM, 0);
$ways = [
	'usleep' => function () { usleep(2000); return true; },
	'time_nanosleep' => function () { return time_nanosleep(0, 2000000) === true; },
	'stream_select' => function () use ($one) {
		$read = [$one];
		$write = $except = null;
		return stream_select($read, $write, $except, 0, 2000) === 0;
	},
	'sleep' => function () { return sleep(1) === 0; },
];
for ($round = 0; hrtime(true) < $stop; $round++) {
	foreach ($ways as $name => $wait) {
		if ($name === 'sleep' && $round % 100 !== 0)
			continue;
		for ($sum = 0, $i = 0; $i < 20000; $i++)
			$sum += $i;
		$start = hrtime(true);
		$fine = $wait();
		$took = hrtime(true) - $start;
		if (!$fine || $took < ($name === 'sleep' ? 1000000000 : 2000000))
			$wrong[$name] = ($wrong[$name] ?? 0) + 1;
		$tried++;
	}
}
foreach ($wrong as $name => $count)
	echo "$name: $count wrong\n";
echo $tried > 50 ? "tried enough\n" : "tried $tried\n";
