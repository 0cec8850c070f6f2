<?php
/* tests/apps/burning.py for PHP. Its functions have no names in native stacks: each route works in a function of
 * the interpreter's, or a library, that no other one uses (tests/clients/marks.py says which). */
const MICROSECONDS = 1500;
const ALGORITHMS = ['md5', 'sha1', 'sha256', 'sha512', 'ripemd160', 'whirlpool', 'tiger192,3', 'snefru', 'gost',
		    'adler32', 'haval128,3', 'joaat'];

function clock(): int
{
	$usage = getrusage();
	return $usage['ru_utime.tv_sec'] * 1000000 + $usage['ru_utime.tv_usec'] +
	       $usage['ru_stime.tv_sec'] * 1000000 + $usage['ru_stime.tv_usec'];
}

function work(int $k, string $text): void
{
	if ($k < count(ALGORITHMS))
		for ($i = 0; $i < ($k == 9 ? 8 : 1); $i++)
			hash(ALGORITHMS[$k], $text);
	else if ($k == 12)
		gzcompress($text, 9);
	else if ($k == 13)
		hash('md4', $text);
	else if ($k == 14)
		sodium_crypto_generichash($text);
	else
		openssl_digest($text, 'sha3-256');
}

$path = explode('?', $_SERVER['REQUEST_URI'])[0];
header('Content-Type: text/plain');
$k = (int)substr($path, 2);
$text = str_repeat('what is hashed ', 1000);
$begun = clock();
do {
	work($k, $text);
	$burnt = clock() - $begun;
} while ($burnt < MICROSECONDS);
$body = "route=$k path=$path burnt=" . $burnt * 1000 . "\n";
header('Content-Length: ' . strlen($body));
echo $body;
