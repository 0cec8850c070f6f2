// tests/apps/routes.py for node's http module: node routes_node.js PORT [WORKERS]
// With workers, the cluster's primary accepts and hands its connections over to them.
'use strict'
const cluster = require('cluster')
const http = require('http')

const MILLISECONDS = 6

function cpu () {
  const used = process.cpuUsage()
  return (used.user + used.system) / 1000
}

const routes = Array.from({ length: 16 }, (_, k) => new Function('cpu', 'until', `
  return function route_${k} (cpu, until) {
    let total = 0
    while (cpu() < until) for (let i = 0; i < 10000; i++) total += i % 7
    return total
  }`)())

function answer (request, response) {
  const match = /^\/r(\d+)\//.exec(request.url)
  if (!match) return response.writeHead(404).end()
  routes[match[1]](cpu, cpu() + MILLISECONDS)
  response.end(`route=${match[1]} path=${request.url} pid=${process.pid} tid=${process.pid}\n`)
}

if (cluster.isPrimary && process.argv[3]) {
  for (let n = 0; n < +process.argv[3]; n++) cluster.fork()
  process.on('SIGTERM', () => process.exit())
} else {
  http.createServer(answer).listen(+process.argv[2], '127.0.0.1')
}
