"""A WSGI application with 16 routes, each of which burns CPU in a function of its own name.

GET /rK/ANYTHING burns 6 ms of CPU (or BURN_MS) in the function route_K and answers "route=K path=.. pid=.. tid=..".
"""

import os
import threading
import time

MILLISECONDS = int(os.environ.get("BURN_MS", "6"))

SOURCE = """
def route_{k}(until):
    total = 0
    while clock() < until:
        for i in range(5000):
            total += i
    return total
"""


def make_routes():
    space = {"clock": time.thread_time}
    for k in range(16):
        exec(compile(SOURCE.format(k=k), "routes-%d.py" % k, "exec"), space)
    return [space["route_%d" % k] for k in range(16)]


ROUTES = make_routes()


def application(environ, start_response):
    path = environ["PATH_INFO"]
    try:
        k = int(path.split("/")[1][1:])
        ROUTES[k](time.thread_time() + MILLISECONDS / 1000)
    except (ValueError, IndexError):
        start_response("404 Not Found", [("Content-Length", "0")])
        return []
    body = ("route=%d path=%s pid=%d tid=%d\n"
            % (k, path, os.getpid(), getattr(threading, "get_native_id", threading.get_ident)())).encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


if __name__ == "__main__":
    import sys
    from wsgiref.simple_server import WSGIRequestHandler, make_server

    WSGIRequestHandler.log_message = lambda *arguments: None
    make_server("127.0.0.1", int(sys.argv[1]), application).serve_forever()
