"""
Walks the stack after every machine instruction of a test program (the processor's trap flag): each
whole stack must be one that the program has, each cut one the newest part of such a stack.
"""
import gc
import sys

import python_probe
from python_probe import BROKEN, CUT, NONE, OK, released


def call_plain(a, b=2, *c, d=4, **e):
    return a + b


def calls():
    call_plain(1)
    call_plain(1, 3, 4, d=5, f=6)
    call_plain(*(1, 2), **{"d": 1})
    return list(map(call_plain, [1, 2]))


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
    for _ in numbers(3):
        pass
    list(delegating(2))
    it = numbers(5)
    next(it)
    it.send(None)
    try:
        it.throw(KeyError)
    except KeyError:
        pass
    it = numbers(5)
    next(it)
    it.close()
    it = numbers(2)
    next(it)
    del it
    sum(x for x in numbers(3))


async def leaf():
    return 1


async def middle(n):
    return await middle(n - 1) if n else await leaf()


class Waiter:
    def __await__(self):
        yield 1


async def waiting():
    await Waiter()


async def counting():
    yield 1
    yield 2


async def consuming():
    return [x async for x in counting()]


def run_coroutine(coroutine):
    try:
        while True:
            coroutine.send(None)
    except StopIteration:
        pass


def coroutines():
    run_coroutine(middle(3))
    run_coroutine(waiting())
    run_coroutine(consuming())


def thrower(n):
    if n:
        thrower(n - 1)
    raise ValueError


def exceptions():
    try:
        thrower(3)
    except ValueError:
        pass
    try:
        thrower(1)
    except (KeyError, ValueError) as error:
        error.__traceback__ = None


class Meta(type):
    def __call__(cls, *args):
        return super().__call__(*args)


class Thing(metaclass=Meta):
    def __init__(self, x):
        self.x = x

    def __del__(self):
        self.x = None

    def __eq__(self, other):
        return self.x == other.x

    def __lt__(self, other):
        return self.x < other.x

    def __hash__(self):
        return hash(self.x)

    def __getattr__(self, name):
        return name

    def __getitem__(self, i):
        return i

    def __len__(self):
        return 1

    def __enter__(self):
        return self

    def __exit__(self, *rest):
        return True

    @property
    def value(self):
        return self.x

    @classmethod
    def make(cls, x):
        return cls(x)


def classes():
    things = [Thing(i) for i in (3, 1, 2)]
    things.sort()
    {things[0]: 1}
    things[0].missing
    things[0][1]
    len(things[0])
    things[0].value
    Thing.make(4)
    with things[1]:
        raise OSError
    sorted(things, key=lambda thing: thing.x)
    a, b = Thing(1), Thing(2)
    a.other, b.other = b, a
    del a, b
    gc.collect()


def closures():
    x = 1

    def inner(n):
        return inner(n - 1) + x if n else 0
    return inner(3)


def nested_map(n):
    return list(map(nested_map, [n - 1])) if n else sum(numbers(2))


def sort_key(x):
    return sum(numbers(x))


def depths():
    # Native activations at many depths of the C stack, each where others were a moment ago.
    nested_map(2)
    sorted([2, 1], key=sort_key)
    list(map(sort_key, numbers(2)))
    max(numbers(2), key=lambda x: call_plain(x))
    [sort_key(x) for x in map(sort_key, delegating(2))]
    any(nested_map(x % 2) for x in numbers(3))


def make_code():
    space = {}
    exec(compile("def made(x):\n  return x\nmade(1)\n", "<made>", "exec"), space)
    return eval("made(2)", space)


def program():
    for _ in range(rounds):
        calls()
        recursion(40)
        recursion_in_c(5)
        generators()
        coroutines()
        exceptions()
        classes()
        closures()
        depths()
        make_code()


def run(begin, end):
    begin()
    program()
    end()


def stack_of(frame):
    stack = []
    while frame is not None:
        stack.append(python_probe.code_key(frame.f_code))
        frame = frame.f_back
    return tuple(stack)


known = set()


def learn(frame, event, arg):
    if event == "call":
        known.add(stack_of(frame))


def sampled_stacks():
    count = python_probe.ctypes.c_uint32()
    words = released.oracle_stacks(python_probe.ctypes.byref(count))
    at = 0
    while at < count.value:
        n, result = words[at], words[at + 1]
        yield result, tuple(python_probe.id_key(words[at + 2 + i]) for i in range(n))
        at += n + 2


def main():
    global rounds
    for how in "learn", "warm up", "step":
        rounds = int(sys.argv[1]) if how == "step" else 3  # the interpreter specialises warm code
        gc.collect()
        gc.freeze()
        gc.disable()
        if how == "learn":
            run(lambda: sys.setprofile(learn), lambda: sys.setprofile(None))
        elif how == "warm up":
            run(lambda: None, lambda: None)
        else:
            released.oracle_reset()
            run(released.oracle_step, released.oracle_step)
        gc.enable()
    # Of the runner itself, begun and about to end.
    known.update([stack[i:] for stack in known for i in range(len(stack))])
    # Making a generator runs a frame of it that no profile function is told of.
    made = {python_probe.code_key(f.__code__) for f in globals().values()
            if hasattr(f, "__code__") and f.__code__.co_flags & 0x2a0}

    def is_known(stack):
        return stack in known or (stack[0] in made and stack[1:] in known)
    prefixes = {stack[:i] for stack in known for i in range(1, len(stack) + 1)}
    results = [released.oracle_result(i) for i in range(4)]
    total = sum(results)
    wrong = []
    seen = 0
    for result, stack in sampled_stacks():
        seen += 1
        if result == OK and not is_known(stack):
            wrong.append(stack)
        if result == CUT and stack not in prefixes and stack[0] not in made:
            wrong.append(stack)
    for stack in wrong[:5]:
        print("#", [name for _, name, _ in stack][:12])
    print("# %s: %d instructions, %d distinct stacks; cut %d (%.4f %%), broken %d (%.4f %%), none %d; lost %d" % (
        python_probe.version, total, seen, results[CUT], 100 * results[CUT] / total,
        results[BROKEN], 100 * results[BROKEN] / total, results[NONE], released.oracle_lost()))
    def verdict(good, claim):
        print("%s - %s: %s" % ("ok" if good else "not ok", python_probe.version, claim))

    verdict(total > 100000 and seen > 50, "every instruction was looked at")
    verdict(not wrong and not released.oracle_lost(), "no stack that the program does not have, at any instruction")
    verdict(results[BROKEN] + results[CUT] < total / 100, "under 1 % of the stacks are incomplete")
    verdict(results[NONE] == 0, "no instruction at which the thread seems to run no Python")
    sys.stdout.flush()


main()
