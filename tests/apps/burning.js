// tests/apps/burning.py for node: burning.js PORT. K % 3 says how: 0 at once; 1 half, a pause, half; 2 a pause, then all.
'use strict';
const http = require('http');
const MICROSECONDS = 1500;
const routes = [];
for (let k = 0; k < 16; k++) {
	// Named by the source: the name in the map of generated code.
	routes.push(new Function('clock', `return function route_${k}(microseconds) {
		const begun = clock();
		let total = 0, burnt;
		do {
			for (let i = 0; i < 5000; i++)
				total = (total + i * 7) % 1000003;
			burnt = clock() - begun;
		} while (burnt < microseconds);
		return burnt;
	}`)(() => { const u = process.cpuUsage(); return u.user + u.system; }));
}

function pause(ms) {
	return new Promise((done) => setTimeout(done, ms));
}

async function paused(k) {
	let burnt = 0;
	if (k % 3 === 1)
		burnt += routes[k](MICROSECONDS / 2);
	await pause(3);
	return burnt + routes[k](k % 3 === 1 ? MICROSECONDS / 2 : MICROSECONDS);
}

function answer(response, k, path, microseconds) {
	response.setHeader('Content-Type', 'text/plain');
	response.end(`route=${k} path=${path} burnt=${Math.round(microseconds * 1000)}\n`);
}

http.createServer((request, response) => {
	const match = /^\/r(\d+)\//.exec(request.url);
	const k = match ? Number(match[1]) : -1;
	if (!routes[k]) {
		response.statusCode = 404;
		response.end();
	} else if (k % 3 === 0 || process.argv[3] === 'sync') {
		answer(response, k, request.url, routes[k](MICROSECONDS));
	} else {
		paused(k).then((burnt) => answer(response, k, request.url, burnt));
	}
}).listen(Number(process.argv[2]), '127.0.0.1');
