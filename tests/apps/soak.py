"""Answers each request with its path: tests/programs/soak_client.c looks at every byte."""


def application(environ, start_response):
    body = environ["PATH_INFO"].encode() + b"\n"
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
