"""Burns CPU in a function that Python's own map names: generated.py PORT, with -X perf."""

import http.server
import sys


def burns_in_python(n):
    total = 0
    for i in range(n):
        total = (total * 31 + i) % 1000003
    return total


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = str(burns_in_python(500000)).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
