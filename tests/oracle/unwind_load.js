// JSON, regular expressions, sorting, compression and recursion, for argv[2] seconds: most frames are compiled at run time.
const zlib = require('zlib');
const crypto = require('crypto');
const text = JSON.stringify(Array.from({ length: 500 }, (_, i) => ({ key: 'k' + i, value: 'y'.repeat(i % 50) })));
const fib = n => n < 2 ? n : fib(n - 1) + fib(n - 2);
const down = n => n ? [n, 1].map(x => down(n - 1))[0] : JSON.parse(text).length;
const end = Date.now() + 1000 * Number(process.argv[2]);
let sum = 0;
while (Date.now() < end) {
	sum += JSON.stringify(JSON.parse(text)).length;
	sum += (text.match(/k(\d+)/g) || []).length;
	sum += JSON.parse(text).sort((a, b) => a.value < b.value ? -1 : 1).length;
	sum += zlib.gzipSync(text).length;
	sum += crypto.createHash('sha256').update(text).digest('hex').length;
	sum += fib(15) + down(6);
}
console.log(sum);
