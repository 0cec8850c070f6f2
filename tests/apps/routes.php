<?php
/* As routes.py: GET /rK/ANYTHING burns 6 ms of CPU and answers "route=K path=.. pid=.. tid=..".
 * Any other path answers with method, path and body; /status/N with that status. */

function burnt(): int
{
	$usage = getrusage();
	return $usage['ru_utime.tv_sec'] * 1000000 + $usage['ru_utime.tv_usec'] +
	       $usage['ru_stime.tv_sec'] * 1000000 + $usage['ru_stime.tv_usec'];
}

$path = explode('?', $_SERVER['REQUEST_URI'])[0];
header('Content-Type: text/plain');
if (preg_match('#^/r(\d+)/#', $path, $found)) {
	$until = burnt() + 6000;
	$total = 0;
	while (burnt() < $until)
		for ($i = 0; $i < 3000; $i++)
			$total += $i;
	$pid = getmypid();
	echo "route={$found[1]} path=$path pid=$pid tid=$pid\n";
	return;
}
if (preg_match('#^/status/(\d+)#', $path, $found))
	http_response_code((int)$found[1]);
if (preg_match('#^/slow/(\d+)#', $path, $found))
	usleep($found[1] * 1000);
echo $_SERVER['REQUEST_METHOD'], ' ', $path, "\n", file_get_contents('php://input');
