// tests/apps/echo.py for node's http2 module: node echo_http2.js PORT
'use strict'
const http2 = require('http2')

function body (count, make) {
  return Buffer.concat(Array.from({ length: count }, (_, n) => make(n)))
}

function answer (stream, head, path, sent) {
  const [, kind, number] = path.split('/')
  if (kind === 'bytes') {
    stream.respond({ ':status': 200 })
    stream.end(Buffer.from(Array.from({ length: +number }, (_, n) => n % 251)))
  } else if (kind === 'chunks') {
    stream.respond({ ':status': 200 })
    stream.end(body(+number, n => Buffer.from((String(n).padStart(7, '0') + '.').repeat(125))))
  } else if (kind === 'status') {
    stream.respond({ ':status': +number }, { endStream: true })
  } else {
    stream.respond({ ':status': 200 })
    stream.end(Buffer.concat([Buffer.from(`${head[':method']} '${path}'\n`), ...sent]))
  }
}

const server = http2.createServer()
server.on('stream', (stream, head) => {
  const path = head[':path'].split(/[?#]/)[0]
  const sent = []
  stream.on('error', () => {})
  stream.on('data', piece => sent.push(piece))
  stream.on('end', () => { if (!stream.destroyed && !stream.rstCode) answer(stream, head, path, sent) })
})
server.on('sessionError', () => {})
server.listen(+process.argv[2], '127.0.0.1')
