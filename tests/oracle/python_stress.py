"""
Signals at 9,970 Hz in every thread while five of them do all that makes and frees frames and code: no
crash, and no caller and callee that the program does not have together.
usage: python_stress.py SECONDS
"""
import asyncio
import ctypes
import gc
import re
import sys
import threading
import time

import python_probe
from python_probe import BROKEN, CUT, NONE, OK, held, released

try:
    import greenlet
except ImportError:
    greenlet = None
try:
    import _xxsubinterpreters as interpreters
except ImportError:
    interpreters = None

HZ = 9970
WORKERS = 5
finish = 0.0
problems = []
counter = iter(range(1 << 60))


class Thing:
    def __init__(self, x):
        self.x = x
        self.self = self

    def __lt__(self, other):
        return self.x < other.x

    def method(self, n):
        return self.method(n - 1) if n else self.x


def recursion(n):
    return recursion(n - 1) if n else 0


def recursion_in_c(n):
    return list(map(recursion_in_c, [n - 1])) if n else 0


def numbers(n):
    for i in range(n):
        yield i


def delegating(n):
    yield from numbers(n)


def generators():
    total = 0
    for x in delegating(200):
        total += x
    it = numbers(10)
    next(it)
    it.close()
    return total + sum(x for x in numbers(100))


def thrower(n):
    if n:
        thrower(n - 1)
    raise ValueError


def exceptions():
    try:
        thrower(20)
    except ValueError:
        pass


def objects():
    things = sorted(Thing(-i) for i in range(50))
    things[0].method(30)
    sorted(things, key=lambda thing: thing.x)


def made_code():
    i = next(counter)
    source = "def f%d(n):\n  return f%d(n - 1) if n else 0\nf%d(%d)\n" % (i, i, i, i % 20)
    exec(compile(source, "<made %d>" % i, "exec"), {})


def collecting():
    gc.collect(0)


async def leaf(i):
    await asyncio.sleep(0)
    return i


async def gathering():
    await asyncio.gather(*(leaf(i) for i in range(10)))


def tasks():
    loop = asyncio.new_event_loop()
    loop.run_until_complete(gathering())
    loop.close()


def in_greenlet(n):
    greenlet.getcurrent().parent.switch(recursion(n))
    recursion(n)


def greenlets():
    if greenlet:
        made = [greenlet.greenlet(in_greenlet) for _ in range(4)]
        for i, one in enumerate(made):
            one.switch(i * 5)
        for one in made:
            one.switch()


def without_gil():
    import zlib
    zlib.compress(b"x" * 50000)


def sub_interpreter():
    if not interpreters or sys.version_info >= (3, 12):
        return
    one = python_probe.new_interpreter(interpreters)
    interpreters.run_string(one, "def in_sub(n):\n  return in_sub(n - 1) if n else 0\nfor i in range(30): in_sub(i)\n")
    interpreters.destroy(one)


def short_thread_body():
    released.oracle_timer_begin(HZ)
    recursion(50)
    released.oracle_timer_end()


def short_thread():
    thread = threading.Thread(target=short_thread_body)
    thread.start()
    thread.join()


def deep():
    recursion(850)


def one_round(which):
    recursion(60)
    recursion_in_c(10)
    generators()
    exceptions()
    objects()
    made_code()
    tasks()
    greenlets()
    without_gil()
    deep()
    if which == 0:
        collecting()
        short_thread()
    if which == 1:
        sub_interpreter()


def worker(which):
    released.oracle_timer_begin(HZ)
    try:
        while time.monotonic() < finish:
            one_round(which)
    finally:
        released.oracle_timer_end()


def spread():
    threads = [threading.Thread(target=worker, args=(i,)) for i in range(WORKERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def general(key):
    return tuple(re.sub(r"[0-9]+", "N", part) for part in key[:2])


known = set()


def learn(frame, event, arg):
    if event == "call":
        caller = frame.f_back
        known.add((general(python_probe.code_key(caller.f_code)) if caller else None,
                   general(python_probe.code_key(frame.f_code))))


def edges():
    for i in range(released.oracle_edges()):
        edge = released.oracle_edge(i)
        if edge:
            yield edge >> 32, edge & 0xffffffff


def speed(depth, distinct, warm):
    """Nanoseconds of walks through a stack of this depth: warm in a row, or the median of single ones."""
    source = "".join("def level%d(n, leaf):\n  return leaf() if n == 0 else level%d(n - 1, leaf)\n" % (
        i, i + 1 if distinct else 0) for i in range(depth))
    space = {}
    exec(compile(source, "/a/path/of/typical/length/levels%d.py" % depth, "exec"), space)
    if not distinct:
        space["others"] = [space["level0"].__code__.replace(co_name="x") for _ in range(10)]
    frames = ctypes.c_uint()
    rate = released.oracle_cycles_per_ns()
    found = []

    def leaf():
        if warm:
            found.append(held.oracle_bench(ctypes.byref(frames)) / rate)
            assert frames.value >= depth - 1, frames
        else:
            released.oracle_reset()
            spin()
            found.append(released.oracle_cycles(500) / rate)
    space["level0"](depth - 5, leaf)
    return found[0]


def spin():
    released.oracle_timer_begin(997)
    end = time.perf_counter() + speed_seconds
    x = 0
    while time.perf_counter() < end:
        for i in range(1000):
            x += i
    released.oracle_timer_end()


def main():
    global finish, speed_seconds
    seconds = float(sys.argv[1])
    speed_seconds = min(2.0, seconds / 10)
    for depth in (30, 60):
        for distinct in (False, True):
            print("# %s: a walk through %d frames of %s: %.0f ns warm, %.0f ns at 997 Hz" % (
                python_probe.version, depth, "different functions" if distinct else "one function",
                speed(depth, distinct, True), speed(depth, distinct, False)))
    threading.setprofile(learn)
    finish = time.monotonic()
    for which in range(WORKERS):
        thread = threading.Thread(target=one_round, args=(which,))
        thread.start()
        thread.join()
    finish = time.monotonic() + 0.2
    spread()
    threading.setprofile(None)

    released.oracle_reset()
    # Where others take the CPUs, one while shows little.
    for taken in range(1, 11):
        finish = time.monotonic() + seconds
        spread()
        pairs = [(general(python_probe.id_key(a)) if a else None, general(python_probe.id_key(b)))
                 for a, b in edges()]
        # Only of code that is ours: finalisers run anywhere, and a sub-interpreter imports modules.
        ours = [pair for pair in pairs if pair[1][0] in (general((__file__, ""))[0], "<made N>")]
        if len(ours) > 30:
            break
    seconds *= taken
    results = [released.oracle_result(i) for i in range(4)]
    total = sum(results)
    rate = released.oracle_cycles_per_ns()
    # Making a generator runs a frame of it that no profile function is told of.
    made = {general(python_probe.code_key(f.__code__)) for f in globals().values()
            if hasattr(f, "__code__") and f.__code__.co_flags & 0x2a0}
    wrong = [pair for pair in ours if pair not in known and pair[1] not in made]
    for pair in wrong[:8]:
        print("#", pair)
    print("# %s: %.0f s: %d samples, ok %d, cut %d, broken %d (%.4f %%), none %d; %d code objects, %d refused; "
          "median %.0f ns; %d of %d pairs unknown" % (
              python_probe.version, seconds, total, results[OK], results[CUT], results[BROKEN],
              100 * results[BROKEN] / max(total, 1), results[NONE], released.oracle_codes(),
              released.oracle_codes_full(), released.oracle_cycles(500) / rate, len(wrong), len(ours)))

    def verdict(good, claim):
        print("%s - %s: %s" % ("ok" if good else "not ok", python_probe.version, claim))
    verdict(total > seconds * HZ / 5 and results[OK] > total / 3, "signals at 9,970 Hz in five threads were survived")
    verdict(len(ours) > 30 and not wrong, "no caller of a function that never calls it")
    # The timers' signals arrive where system calls end, among them those that give pieces of the
    # data stack back, so there are far more than of samples by CPU time.
    verdict(results[BROKEN] < total / 30, "under 3 % of the stacks could not be read")
    sys.stdout.flush()


main()
