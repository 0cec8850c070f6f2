"""A WSGI application whose requests spend their CPU time in the kernel.

/read/N: N reads of a megabyte of /dev/zero. /stat/N: N thousand times stat. /random/N: one system call
for N megabytes of random bytes. /user/N: N ms of Python, for comparison. Answers are JSON: the CPU time, in
nanoseconds, that the kernel counted for the thread, and of it in the kernel.
"""

import json
import os
import resource
import time


def reads(count):
    with open("/dev/zero", "rb", buffering=0) as file:
        for _ in range(count):
            file.read(1 << 20)


def stats(count):
    for _ in range(1000 * count):
        os.stat("/usr/bin/env")


def randoms(count):
    os.getrandom(count << 20)


def users(count):
    end = time.thread_time() + count / 1000
    while time.thread_time() < end:
        sum(range(20000))


def in_kernel():
    return resource.getrusage(resource.RUSAGE_THREAD).ru_stime


def application(environ, start_response):
    what, _, count = environ["PATH_INFO"].strip("/").partition("/")
    work = {"read": reads, "stat": stats, "random": randoms, "user": users}.get(what)
    cpu, kernel = time.thread_time(), in_kernel()
    if work:
        work(int(count))
    answer = {"cpu_ns": round((time.thread_time() - cpu) * 1e9),
              "kernel_ns": round((in_kernel() - kernel) * 1e9)}
    body = json.dumps(answer).encode() + b"\n"
    start_response("200 OK", [("Content-Type", "application/json"),
                              ("Content-Length", str(len(body)))])
    return [body]


if __name__ == "__main__":
    import sys
    from wsgiref.simple_server import make_server
    make_server("127.0.0.1", int(sys.argv[1]), application).serve_forever()
