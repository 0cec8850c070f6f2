"""A WSGI application whose requests spend their CPU time in the kernel.

/read/N: N reads of a megabyte of /dev/zero. /stat/N: N thousand times stat. /random/N: one system call
for N megabytes of random bytes. /touch/N: N fresh pages of memory. /user/N: N ms of Python, for
comparison. Answers are JSON, of what the kernel counted for the thread: CPU time and that in the kernel, time
in which it was ready to run and no CPU was free, all in nanoseconds; and page faults.
"""

import json
import mmap
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


def touches(count):
    with mmap.mmap(-1, 4096 * count) as memory:
        memory.madvise(mmap.MADV_NOHUGEPAGE)
        for page in range(count):
            memory[4096 * page] = 1


def counted():
    used = resource.getrusage(resource.RUSAGE_THREAD)
    with open("/proc/thread-self/schedstat") as file:
        queued = int(file.read().split()[1])
    return {"cpu_ns": time.thread_time_ns(), "kernel_ns": round(used.ru_stime * 1e9),
            "queued_ns": queued, "faults": used.ru_minflt + used.ru_majflt}


def application(environ, start_response):
    what, _, count = environ["PATH_INFO"].strip("/").partition("/")
    work = {"read": reads, "stat": stats, "random": randoms, "touch": touches,
            "user": users}.get(what)
    before = counted()
    if work:
        work(int(count))
    after = counted()
    answer = {key: after[key] - before[key] for key in after}
    body = json.dumps(answer).encode() + b"\n"
    start_response("200 OK", [("Content-Type", "application/json"),
                              ("Content-Length", str(len(body)))])
    return [body]


if __name__ == "__main__":
    import sys
    from wsgiref.simple_server import make_server
    make_server("127.0.0.1", int(sys.argv[1]), application).serve_forever()
