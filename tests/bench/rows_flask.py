"""A route of Flask that works for about a millisecond: short requests, where the fixed cost of each shows."""

import time

from server import BENCH, FLOOR, LIBRARY, Uwsgi, compare_all, peers

GROUP = "flask"
TITLE = "Flask, a route of 1 ms: throughput, of the bare server's"
APP = BENCH / "bench_app.py"


def one_millisecond():
    """How much of the application's work this machine does in a millisecond. The same for all servers."""
    def work(n):
        words = {}
        for i in range(n):
            words["key-%d" % (i % 100)] = words.get("key-%d" % (i % 50), 0) + len(str(i))
        return sum(words.values())

    best = None
    for _ in range(20):
        start = time.thread_time_ns()
        work(2000)
        took = time.thread_time_ns() - start
        best = took if best is None else min(best, took)
    return max(1, 2000 * 1000000 // best)


def rows(work, options):
    amount = str(one_millisecond())

    def make(name, environment=None, **rest):
        environment = dict(environment or {}, BENCH_WORK=amount)
        return Uwsgi(name, APP, "/millisecond", environment=environment, **rest)

    floor = make("997 Hz, empty handler (the floor)", environment=FLOOR, suffix=".pprof")
    full = make("997 Hz, a file each", environment=LIBRARY, suffix=".pprof")
    many, few = options.pairs, options.peer_pairs
    result = compare_all(GROUP, work, make("bare"), [
        (make("switched off", environment=dict(LIBRARY, REQPROF_ENABLE="0")), many, ""),
        (floor, many, ""),
        (full, many, ""),
        (make("997 Hz, only slow ones kept",
              environment=dict(LIBRARY, REQPROF_KEEP="slower=10s")), many, ""),
        (make("199 Hz, a file each", environment=dict(LIBRARY, REQPROF_RATE="199"),
              suffix=".pprof"), many, ""),
        *peers(make, few),
    ], options)
    result += compare_all(GROUP, work, floor, [(full, many, "")], options)
    return result
