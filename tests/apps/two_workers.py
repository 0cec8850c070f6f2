"""two_workers.py PORT PORT: a server with a worker for each of its ports, whose parent answers nothing itself.
GET /anything answers the worker's pid."""
import http.server
import os
import sys


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = str(os.getpid()).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


servers = [http.server.ThreadingHTTPServer(("127.0.0.1", int(port)), Handler) for port in sys.argv[1:]]
for server in servers:
    if os.fork() == 0:
        server.serve_forever()
for _ in servers:
    os.wait()
