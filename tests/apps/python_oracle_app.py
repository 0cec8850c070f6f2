"""A WSGI application that samples its own stack while it serves, and answers what was wrong with it.
Run with PYTHON_ORACLE and tests/oracle on the path (tests/oracle/python.sh)."""
import zlib

import python_probe

here = "?"


def deep(n):
    if n:
        return deep(n - 1)
    zlib.compress(b"x" * 100000)  # lets another thread have the GIL
    return python_probe.probe(here)


def through_c(n):
    return list(map(through_c, [n - 1])) if n else python_probe.probe(here)


def numbers():
    for i in range(3):
        python_probe.probe(here)
        yield i


def application(environ, start_response):
    global here
    here = environ["SCRIPT_NAME"]
    before, found = python_probe.probes, len(python_probe.problems)
    for n in range(10):
        deep(n)
    through_c(5)
    list(numbers())
    body = "%s: %d probes, %d problems\n%s" % (
        here, python_probe.probes - before, len(python_probe.problems) - found,
        "".join("# %s\n" % ascii(p) for p in python_probe.problems[found:][:3]))
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [body.encode()]
