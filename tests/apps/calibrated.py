"""A WSGI application whose functions burn known shares of CPU.

GET /ANYTHING runs every workload in turn for a few rounds and answers with JSON: what each
function really used of this thread's CPU clock, and where its code stands:

    {"workloads": {QUALNAME: {"cpu_ns": .., "code": .., "first_line": .., "lines": [..]}},
     "lines": {LINE: cpu_ns of the two lines of two_lines}}

All work is in user space, so that the clock and a sampler that leaves the kernel out agree.
"""

import hashlib
import json
import threading
import time

ROUNDS = 5
BUFFER = bytes(range(256)) * 1024
DOCUMENT = [{"name": "item %d" % n, "values": list(range(n % 17))} for n in range(200)]

clock = time.thread_time_ns


def sixty(n):
    total = 0
    for i in range(n):
        total += i & 7
        total ^= i
    return total


def thirty(n):
    total = 1
    for i in range(n):
        total = (total * 31 + i) & 0xFFFF
    return total


def ten(n):
    text = ""
    for i in range(n):
        text = text[-8:] + "x"
    return text


def in_hashlib(n):
    digest = hashlib.sha256()
    for _ in range(n):
        digest.update(BUFFER)
    return digest.hexdigest()


def in_json(n):
    size = 0
    for _ in range(n):
        size += len(json.dumps(DOCUMENT))
    return size


def recursion(n, depth=12):
    if depth:
        return recursion(n, depth - 1)
    total = 0
    for i in range(n):
        total += i % 3
    return total


def generator(n):
    total = 0
    for i in range(n):
        total += i * i
        if not i & 255:
            yield total


def drain(n):
    last = None
    for last in generator(n):
        pass
    return last


a_lambda = lambda n: [0 for i in range(n) if i * i < 0]  # noqa: E731


class Engine:
    @classmethod
    def class_method(cls, n):
        product = 1
        for i in range(n):
            product = (product * 5 + i) & 0xFFFFF
        return product

    def method(self, n):
        flips = False
        for i in range(n):
            flips = not flips
        return flips


def enclosing(n):
    def inner(n):
        total = 0
        for i in range(n):
            total -= i
        return total

    return inner(n)


def two_lines(n, used):
    started = clock()
    hashlib.pbkdf2_hmac("sha256", b"three quarters", b"salt", 3 * n)
    between = clock()
    hashlib.pbkdf2_hmac("sha256", b"one quarter", b"salt", n)
    ended = clock()
    used[0] += between - started
    used[1] += ended - between


# What is run, its function that burns, and milliseconds of CPU a round.
WORKLOADS = [
    (sixty, sixty.__code__, 18.0),
    (thirty, thirty.__code__, 9.0),
    (ten, ten.__code__, 3.0),
    (in_hashlib, in_hashlib.__code__, 6.0),
    (in_json, None, 5.0),
    (recursion, recursion.__code__, 5.0),
    (drain, generator.__code__, 5.0),
    (a_lambda, None, 4.0),
    (Engine.class_method, Engine.class_method.__func__.__code__, 4.0),
    (Engine().method, Engine.method.__code__, 3.0),
    (enclosing, enclosing.__code__.co_consts[1], 3.0),
]
TWO_LINES_MS = 8.0
calls = {}  # workload number -> n for its milliseconds
calibration = threading.Lock()


def n_for(call, milliseconds, start):
    """The n with which call uses about so many milliseconds, when nothing disturbs it."""
    n = start
    while used_by(call, n) <= 4000000:
        n *= 2
    # A neighbour can only make it slower.
    return max(1, round(n * milliseconds * 1e6 / min(used_by(call, n) for _ in range(3))))


def used_by(call, n):
    before = clock()
    call(n)
    return clock() - before


def calibrate():
    with calibration:
        if calls:
            return
        found = {number: n_for(call, ms, 1) for number, (call, _, ms) in enumerate(WORKLOADS)}
        found["two_lines"] = n_for(lambda n: two_lines(n, [0, 0]), TWO_LINES_MS, 100)
        calls.update(found)


def place(code):
    return {
        "code": code.co_name,
        "first_line": code.co_firstlineno,
        "lines": sorted({line for _, _, line in code.co_lines() if line}),
    }


def application(environ, start_response):
    # Not part of any share: a request that is not measured pays for the calibration.
    if environ["PATH_INFO"] == "/calibrate":
        calibrate()
        start_response("204 No Content", [])
        return []
    used = [0] * len(WORKLOADS)
    by_line = [0, 0]
    for _ in range(ROUNDS):
        for number, (call, _, _) in enumerate(WORKLOADS):
            n = calls[number]
            before = clock()
            call(n)
            used[number] += clock() - before
        two_lines(calls["two_lines"], by_line)
    answer = {}
    for number, (call, code, _) in enumerate(WORKLOADS):
        # json.dumps and the list comprehension burn in functions that they call themselves.
        inside = code or call.__code__
        answer[inside.co_qualname] = {"cpu_ns": used[number], "inclusive": code is None,
                                      **place(inside)}
    first = two_lines.__code__.co_firstlineno
    answer["two_lines"] = {"cpu_ns": sum(by_line), "inclusive": False, **place(two_lines.__code__)}
    body = json.dumps({"workloads": answer,
                       "lines": {first + 2: by_line[0], first + 4: by_line[1]}}).encode()
    start_response("200 OK", [("Content-Type", "application/json"),
                              ("Content-Length", str(len(body)))])
    return [body]
