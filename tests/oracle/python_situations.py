"""Sampled stacks against sys._getframe() in many situations. Prints "ok - ..." lines (TAP without numbers)."""
import asyncio
import contextlib
import functools
import gc
import os
import re
import sys
import tempfile
import threading
import weakref

import python_probe
from python_probe import probe, problems

situations = []


def situation(function):
    situations.append(function)
    return function


@situation
def plain_call():
    probe("plain")


@situation
def nested_functions():
    def a():
        def b():
            def c():
                probe("nested")
            c()
        b()
    a()


@situation
def recursion():
    def down(n):
        if n == 0:
            probe("recursion")
        else:
            down(n - 1)
    for n in (1, 5, 60, 200, 235):
        down(n)


@situation
def recursion_deeper_than_we_keep():
    def down(n):
        if n == 0:
            probe("deep")
        else:
            down(n - 1)
    down(800)


@situation
def mutual_recursion():
    def even(n):
        return probe("mutual") if n == 0 else odd(n - 1)

    def odd(n):
        return probe("mutual") if n == 0 else even(n - 1)
    even(21)


@situation
def recursion_through_c():
    def down(n):
        return list(map(down, [n - 1])) if n else probe("map")
    down(20)


@situation
def several_lines():
    probe(
        "first"
        " line"
    )
    (
        probe
    )(
        "spread"
    )
    x = [
        1,
        probe("in a list"),
        3,
    ]
    return x


@situation
def branches_and_loops():
    for i in range(3):
        if i % 2:
            probe("odd")
        else:
            probe("even")
    i = 2
    while i:
        i -= 1
        probe("while")
    else:
        probe("else")


@situation
def exceptions():
    def thrower():
        try:
            probe("try")
            raise KeyError(1)
        except KeyError:
            probe("except")
            raise ValueError(2)
        finally:
            probe("finally")
    try:
        thrower()
    except ValueError:
        probe("caught")


@situation
def exception_from_c():
    try:
        int("x")
    except ValueError:
        probe("from c")
    try:
        {}["x"]
    except KeyError:
        probe("subscript")


@situation
def with_statement():
    class Manager:
        def __enter__(self):
            probe("enter")

        def __exit__(self, *rest):
            probe("exit")
            return True
    with Manager():
        probe("body")
        raise OSError


@situation
def context_manager_generator():
    @contextlib.contextmanager
    def manager():
        probe("before")
        yield
        probe("after")
    with manager():
        probe("inside")


@situation
def generator_next():
    def numbers():
        for i in range(3):
            probe("generator")
            yield i
    it = numbers()
    next(it)
    next(it)
    list(it)


@situation
def generator_loop_warm():
    def numbers(n):
        for i in range(n):
            if i in (0, 50, n - 1):
                probe("warm generator")
            yield i
    for _ in range(5):
        for _ in numbers(100):
            pass


@situation
def generator_send_throw_close():
    def machine():
        try:
            got = yield
            probe("sent")
            try:
                yield got
            except KeyError:
                probe("thrown")
            yield
        finally:
            probe("closed")
    it = machine()
    next(it)
    it.send(1)
    it.throw(KeyError())
    it.close()


@situation
def generator_delegation():
    def inner(n):
        if n:
            yield from inner(n - 1)
        probe("yield from")
        yield n
    for _ in inner(8):
        probe("consumer")


@situation
def generator_expression():
    list(probe("genexpr") for _ in range(2))
    sum(len(x) for x in (probe("nested genexpr") for _ in range(2)))


@situation
def generator_deleted():
    def numbers():
        try:
            yield 1
        finally:
            probe("deleted generator")
    it = numbers()
    next(it)
    del it
    gc.collect()


@situation
def comprehensions():
    [probe("list comprehension") for _ in range(2)]
    {probe("set comprehension") for _ in range(2)}
    {i: probe("dict comprehension") for i in range(2)}
    [[probe("inner") for _ in range(1)] for _ in range(2)]


@situation
def lambdas():
    (lambda: probe("lambda"))()
    (lambda f: f())(lambda: (lambda: probe("lambda in lambda"))())


@situation
def methods():
    class Thing:
        def plain(self):
            probe("method")

        @classmethod
        def of_class(cls):
            probe("class method")

        @staticmethod
        def static():
            probe("static method")

        @property
        def value(self):
            return probe("property")

        @functools.lru_cache(maxsize=None)
        def cached(self):
            return probe("cached")

        class Inner:
            def deep(self):
                probe("inner class")
    thing = Thing()
    thing.plain()
    Thing.of_class()
    Thing.static()
    thing.value
    thing.cached()
    Thing.Inner().deep()


@situation
def slots_of_objects():
    class Thing:
        def __init__(self):
            probe("init")

        def __new__(cls):
            probe("new")
            return super().__new__(cls)

        def __call__(self):
            return probe("call")

        def __getattr__(self, name):
            return probe("getattr")

        def __getitem__(self, i):
            return probe("getitem")

        def __len__(self):
            probe("len")
            return 3

        def __eq__(self, other):
            return bool(probe("eq"))

        def __hash__(self):
            probe("hash")
            return 1

        def __lt__(self, other):
            return bool(probe("lt"))

        def __add__(self, other):
            return probe("add")

        def __repr__(self):
            return probe("repr")

        def __bool__(self):
            probe("bool")
            return True

        def __contains__(self, x):
            return bool(probe("contains"))

        def __iter__(self):
            probe("iter")
            return iter([1])

        def __format__(self, spec):
            return probe("format")

        def __index__(self):
            probe("index")
            return 1
    thing = Thing()
    thing()
    thing.missing
    thing[1]
    len(thing)
    thing == 1
    {thing: 1}
    thing < 1
    thing + 1
    repr(thing)
    bool(thing)
    1 in thing
    list(thing)
    "%s" % thing
    f"{thing}{thing!r}"
    [1, 2][thing]


@situation
def init_warm():
    class Thing:
        def __init__(self, i):
            if i in (0, 60):
                probe("warm init")
    for i in range(61):
        Thing(i)


@situation
def descriptors_and_set_name():
    class Descriptor:
        def __set_name__(self, owner, name):
            probe("set_name")

        def __get__(self, obj, kind):
            return probe("get")

        def __set__(self, obj, value):
            probe("set")
    class Thing:
        x = Descriptor()
    Thing().x
    Thing().x = 1


@situation
def metaclasses():
    class Meta(type):
        def __new__(mcs, *rest):
            probe("meta new")
            return super().__new__(mcs, *rest)

        def __call__(cls):
            probe("meta call")
            return super().__call__()

        @classmethod
        def __prepare__(mcs, *rest):
            probe("prepare")
            return {}
    class Thing(metaclass=Meta):
        probe("class body")
    Thing()


@situation
def init_subclass():
    class Base:
        def __init_subclass__(cls):
            probe("init_subclass")
    class Derived(Base):
        pass


@situation
def finalizers():
    class Thing:
        def __del__(self):
            probe("del")
    thing = Thing()
    del thing
    ring = Thing()
    ring.self = ring
    del ring
    gc.collect()
    thing = Thing()
    weakref.finalize(thing, lambda: probe("finalize"))
    weak = weakref.ref(thing, lambda _: probe("weak reference"))
    del thing
    return weak


@situation
def callbacks_from_c():
    sorted([3, 1, 2], key=lambda x: (probe("key"), x)[1])
    list(filter(lambda x: probe("filter"), [1]))
    functools.reduce(lambda a, b: probe("reduce"), [1, 2, 3])
    sorted([3, 1], key=functools.cmp_to_key(lambda a, b: (probe("cmp"), a - b)[1]))
    max([1, 2], key=lambda x: (probe("max"), x)[1])
    re.sub("x", lambda m: probe("re.sub"), "axb")
    functools.partial(probe, "partial")()
    functools.partial(lambda a, b: probe("partial"), 1)(2)
    iter(lambda: (probe("iter"), 0)[1], 0).__next__ and list(iter(lambda: (probe("iter"), 0)[1], 0))


@situation
def calls_with_many_arguments():
    def f(a, b=2, *c, d, e=5, **g):
        probe("arguments")
    f(1, d=4)
    f(1, 2, 3, 4, d=4, x=1)
    f(*[1, 2, 3], **{"d": 4})


@situation
def closures_and_cells():
    def outer(a):
        b = a

        def inner():
            nonlocal b
            b += a
            probe("cell")
            return b
        return inner
    outer(1)()


@situation
def decorators():
    def decorate(f):
        probe("decorating")

        @functools.wraps(f)
        def wrapper(*args):
            probe("wrapper")
            return f(*args)
        return wrapper

    @decorate
    def f():
        probe("decorated")
    f()


@situation
def exec_and_eval():
    exec("probe('exec')", {"probe": probe})
    eval("probe('eval')", {"probe": probe})
    exec("def f():\n\n\n  probe('exec def')\nf()", {"probe": probe})
    exec(compile("\n\nprobe('named')", "<a name>", "exec"), {"probe": probe})
    for i in range(50):
        space = {"probe": probe}
        exec(compile("def f%d():\n  probe('f%d')\n" % (i, i), "<made %d>" % i, "exec"), space)
        space.pop("f%d" % i)()


@situation
def long_lines_and_far_lines():
    source = "def f():\n" + "  x = 1\n" * 700 + "  probe('far')\n" + "\n" * 3000 + "  probe('farther')\nf()"
    exec(compile(source, "<far>", "exec"), {"probe": probe})
    source = "def f():\n  return [" + "1," * 3000 + "probe('wide')]\nf()"
    exec(compile(source, "<wide>", "exec"), {"probe": probe})


@situation
def names_not_ascii():
    def é():
        probe("latin")

    def 变量():
        probe("wide")
    é()
    变量()
    exec(compile("def 𝒳():\n  probe('astral')\n𝒳()", "<ﬀ 𝒳 é>", "exec"), {"probe": probe})
    exec(compile("probe('surrogate')", "a\udc80b.py", "exec"), {"probe": probe})


@situation
def very_long_names():
    name = "n" * 500
    exec(compile("def %s():\n  probe('long name')\n%s()" % (name, name), "f" * 1000, "exec"), {"probe": probe})


@situation
def imports():
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "imported_by_test.py"), "w") as file:
            file.write("import python_probe\npython_probe.probe('import')\n")
        sys.path.insert(0, folder)
        try:
            import imported_by_test  # noqa: F401
        finally:
            sys.path.remove(folder)


@situation
def coroutines():
    async def leaf():
        probe("coroutine")

    async def middle(n):
        await (middle(n - 1) if n else leaf())

    async def main():
        await middle(10)
        await asyncio.sleep(0)
        probe("after sleep")
    asyncio.run(main())


@situation
def async_generators():
    async def numbers():
        try:
            for i in range(2):
                probe("async generator")
                yield i
        finally:
            probe("async finally")

    class Manager:
        async def __aenter__(self):
            probe("aenter")

        async def __aexit__(self, *rest):
            probe("aexit")

    async def main():
        async for _ in numbers():
            probe("async for")
        [probe("async comprehension") async for _ in numbers()]
        async with Manager():
            probe("async with")
    asyncio.run(main())


@situation
def tasks():
    async def work(i):
        probe("task")
        await asyncio.sleep(0)
        probe("task again")

    async def main():
        await asyncio.gather(*(work(i) for i in range(3)))
        asyncio.get_running_loop().call_soon(lambda: probe("call_soon"))
        await asyncio.sleep(0)
        await asyncio.get_running_loop().run_in_executor(None, lambda: probe("executor"))
    asyncio.run(main())


@situation
def coroutine_by_hand():
    async def f():
        probe("by hand")
    try:
        f().send(None)
    except StopIteration:
        pass
    f().close()


@situation
def threads():
    def work():
        probe("thread")
        recursion()
        generator_delegation()
    made = [threading.Thread(target=work) for _ in range(3)]
    for thread in made:
        thread.start()
        thread.join()


@situation
def threads_at_once():
    made = [threading.Thread(target=lambda: [methods() for _ in range(5)]) for _ in range(4)]
    for thread in made:
        thread.start()
    for thread in made:
        thread.join()


@situation
def thread_in_thread():
    def outer():
        inner = threading.Thread(target=lambda: probe("inner thread"))
        inner.start()
        inner.join()
        probe("outer thread")
    thread = threading.Thread(target=outer)
    thread.start()
    thread.join()


@situation
def profile_and_trace_functions():
    def hook(frame, event, arg):
        if event == "call" and frame.f_code.co_name == "watched":
            sys.setprofile(None)
            sys.settrace(None)
            probe("hook")

    def watched():
        probe("watched")
    sys.setprofile(hook)
    watched()
    sys.setprofile(None)
    sys.settrace(hook)
    watched()
    sys.settrace(None)


@situation
def frame_objects_taken():
    def f():
        frame = sys._getframe()
        probe("frame object")
        frame.f_back
        probe("frame object")
    f()


@situation
def pattern_matching():
    if sys.version_info < (3, 10):
        return
    exec(compile("match [1, {'a': 2}]:\n  case [x, {'a': y}] if probe('guard'):\n    probe('case')\n",
                 "<match>", "exec"), {"probe": probe})


@situation
def exception_groups():
    if sys.version_info < (3, 11):
        return
    exec(compile("try:\n  raise ExceptionGroup('', [OSError()])\nexcept* OSError:\n  probe('except*')\n",
                 "<except*>", "exec"), {"probe": probe})


@situation
def same_code_different_lines_after_replacement():
    def f():
        probe("replaced")
    for line in (1, 1000, 100000):
        code = f.__code__.replace(co_firstlineno=line)
        type(f)(code, globals())()


@situation
def sub_interpreters():
    try:
        import _interpreters as interpreters
    except ImportError:
        try:
            import _xxsubinterpreters as interpreters
        except ImportError:
            return
    script = (
        "import sys\n"
        "sys.path[:] = %r\n"
        "import python_probe\n"
        "def deep(n):\n"
        "  return deep(n - 1) if n else python_probe.probe('sub-interpreter')\n"
        "for n in range(20):\n"
        "  deep(n)\n"
        "import os\n"
        "os.write(%d, repr((python_probe.probes, python_probe.problems)).encode())\n"
    )
    for where in ("here", "thread"):
        read, write = os.pipe()
        number = python_probe.new_interpreter(interpreters)

        def run():
            probe("before the sub-interpreter")
            interpreters.run_string(number, script % (sys.path, write))
            probe("after the sub-interpreter")
        if where == "here":
            run()
        else:
            thread = threading.Thread(target=run)
            thread.start()
            thread.join()
        os.close(write)
        with open(read, "rb") as end:
            probes, found = eval(end.read() or "(0, ['the sub-interpreter did not finish'])")
        python_probe.probes += probes
        problems.extend(found)
        if probes != 40:
            problems.append("%d probes in a sub-interpreter, not 40" % probes)
        interpreters.destroy(number)
        probe("after destroying it")


@situation
def greenlets():
    try:
        import greenlet
    except ImportError:
        return
    # The parent's frames are not on a greenlet's chain, but sys._getframe agrees with that.
    def second(n):
        probe("greenlet")
        main.switch(n)
        probe("greenlet again")
        inner = greenlet.greenlet(lambda: probe("greenlet in greenlet"))
        inner.switch()
        probe("greenlet third time")

    def first(n):
        return first(n - 1) if n else green.switch(1)
    main = greenlet.getcurrent()
    green = greenlet.greenlet(second)
    first(10)
    probe("main between")
    green.switch()
    probe("main after")


@situation
def forked_child():
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            before = len(problems)
            probe("child")
            recursion()
            os.write(write, repr(problems[before:]).encode())
        finally:
            os._exit(0)
    os.close(write)
    with open(read, "rb") as end:
        problems.extend(eval(end.read() or "['the child did not finish']"))
    os.waitpid(pid, 0)


def main():
    for function in situations:
        before, found = python_probe.probes, len(problems)
        function()
        name = function.__name__.replace("_", " ")
        for problem in problems[found:][:5]:
            print("#", ascii(problem))
        if python_probe.probes == before and function.__name__ not in (
                "pattern_matching", "exception_groups", "sub_interpreters", "greenlets", "forked_child"):
            print("# nothing was probed")
            found = -1
        print("%s - stacks of %s equal sys._getframe: %s" % (
            "ok" if len(problems) == found else "not ok", python_probe.version, name))
    print("# %d probes, %d problems, %d code objects" % (
        python_probe.probes, len(problems), python_probe.released.oracle_codes()))
    sys.stdout.flush()


main()
