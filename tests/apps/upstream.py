"""What stands behind a proxy in the attribution test: WSGI, 16 routes.

GET /rK/ANYTHING answers, after a delay that its route alone has, "route=K path=.. port=.. delay=NS": the
port is the other end of the connection that asked ("unknown" under uwsgi, which is told the client's by
its protocol), the delay how long it really was. Of K % 4 == 0 there is
much text behind that, for a proxy to compress.
"""

import time

ROUTES = 16
TEXT = b"".join(b"line=%d of=%x\n" % (i, i * i * 7919) for i in range(2000))


def delay_ns(k):
    return 1000000 * (1 + k % 8)


def application(environ, start_response):
    begun = time.monotonic_ns()
    path = environ["PATH_INFO"]
    k = int(path.split("/")[1][1:])
    time.sleep(delay_ns(k) / 1e9)
    port = "unknown" if "uwsgi.version" in environ else environ["REMOTE_PORT"]
    body = b"route=%d path=%s port=%s delay=%d\n" % (
        k, path.encode(), port.encode(), time.monotonic_ns() - begun)
    if k % 4 == 0:
        body += TEXT
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
