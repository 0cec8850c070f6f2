// Burns CPU in a function whose name only the runtime's map tells: node generated.js PORT
const http = require("http");

function burnsInJavaScript(n) {
	let sum = 0;
	for (let i = 0; i < n; i++)
		sum = (sum * 31 + i) % 1000003;
	return sum;
}

http.createServer((request, response) => {
	response.end(String(burnsInJavaScript(10000000)));
}).listen(Number(process.argv[2]), "127.0.0.1");
