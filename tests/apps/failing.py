"""A WSGI application for tests of what is kept: /STATUS answers with it, /sleep takes 200 ms."""
import time


def application(environ, start_response):
    path = environ["PATH_INFO"]
    status = path[1:] if path[1:].isdigit() else "200"
    if path == "/sleep":
        time.sleep(0.2)
    start_response(status + " Because", [("Content-Type", "text/plain"), ("Content-Length", "2")])
    return [b"ok"]
