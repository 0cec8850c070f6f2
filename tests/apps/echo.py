"""A WSGI application that answers with what it was sent; every answer is the same at every run.

    /bytes/N     N bytes                         /chunks/N    N pieces of 1,000 bytes, no length
    /status/N    an empty answer with status N   /raise       an exception
    /slow/N      sleeps N ms                     else         method, path and body, as received
"""

import time


def pieces(count):
    for n in range(count):
        yield b"%07d." % n * 125


def application(environ, start_response):
    _, _, rest = environ["PATH_INFO"].partition("/")
    kind, _, number = rest.partition("/")
    if kind == "bytes":
        body = bytes(n % 251 for n in range(int(number)))
        start_response("200 OK", [("Content-Type", "application/octet-stream"),
                                  ("Content-Length", str(len(body)))])
        return [body]
    if kind == "chunks":
        start_response("200 OK", [("Content-Type", "application/octet-stream")])
        return pieces(int(number))
    if kind == "status":
        start_response(number + " Whatever", [("Content-Length", "0")] if number != "204" else [])
        return []
    if kind == "raise":
        raise RuntimeError("as asked")
    if kind == "slow":
        time.sleep(int(number) / 1000)
    sent = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    body = ("%s %s\n" % (environ["REQUEST_METHOD"], ascii(environ["PATH_INFO"]))).encode() + sent
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]
