"""Bindings to python_oracle.so, and probe(): is the sampled stack what the interpreter says it is?"""
import ctypes
import dis
import os
import sys

PATH = os.environ["PYTHON_ORACLE"]
OK, NONE, CUT, BROKEN = range(4)
RESULTS = ["ok", "none", "cut", "broken"]
FRAMES_MAX = 256


class Frame(ctypes.Structure):
    _fields_ = [
        ("code", ctypes.c_uint32),
        ("lasti", ctypes.c_int32),
        ("line", ctypes.c_int32),
        ("unused", ctypes.c_int32),
        ("entry", ctypes.c_uint64),
    ]


class Sample(ctypes.Structure):
    _fields_ = [
        ("result", ctypes.c_int32),
        ("n", ctypes.c_int32),
        ("sp", ctypes.c_uint64),
        ("stack_high", ctypes.c_uint64),
        ("frames", Frame * FRAMES_MAX),
    ]


def declare(library):
    for name in ("filename", "name", "qualname", "version"):
        getattr(library, "oracle_" + name).restype = ctypes.c_char_p
    for name in ("result", "edge", "lost", "codes_full"):
        getattr(library, "oracle_" + name).restype = ctypes.c_uint64
    library.oracle_cycles_per_ns.restype = ctypes.c_double
    library.oracle_stacks.restype = ctypes.POINTER(ctypes.c_uint32)
    return library


released = declare(ctypes.CDLL(PATH))  # calls run without the GIL
held = declare(ctypes.PyDLL(PATH))
assert released.oracle_start() == 0
version = released.oracle_version().decode()
has_qualname = sys.version_info >= (3, 11)

probes = 0
problems = []


def text(raw):
    return raw.decode("utf-8", "replace")


def code_name(code):
    return code.co_qualname if has_qualname else code.co_name


def printable(s):
    # Lone surrogates cannot be UTF-8; the table has the replacement character for them.
    return s.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def code_key(code):
    return (printable(code.co_filename), printable(code_name(code)), code.co_firstlineno)


def id_key(number):
    return (
        text(released.oracle_filename(number)),
        text(released.oracle_qualname(number)),
        released.oracle_first_line(number),
    )


def interpreter_stack(frame):
    """What the interpreter says, newest first."""
    stack = []
    while frame is not None:
        code = frame.f_code
        stack.append((*code_key(code), frame.f_lineno, max(frame.f_lasti, -1)))
        frame = frame.f_back
    return stack


def sampled_stack(sample):
    stack = []
    for i in range(sample.n):
        frame = sample.frames[i]
        stack.append((*id_key(frame.code), frame.line, max(frame.lasti, -1)))  # -2 in 3.10
    return stack


def is_call(code, lasti):
    name = dis.opname[code.co_code[lasti]]
    return name.startswith("CALL") or name.startswith("PRECALL")


def entries_fault(sample):
    """Entry addresses lie on the C stack, rise towards older frames, and the oldest frame has one."""
    last = sample.sp
    for i in range(sample.n):
        entry = sample.frames[i].entry
        if entry == 0:
            continue
        if not last <= entry < sample.stack_high:
            return "entry %d at %#x is out of order" % (i, entry)
        last = entry + 1
    if sample.n and not sample.frames[sample.n - 1].entry and has_entries:
        return "the oldest frame is no entry"
    return None


has_entries = sys.version_info >= (3, 10)


def differ(label, sample, want):
    got = sampled_stack(sample)
    want_result = OK
    if len(want) > FRAMES_MAX:
        want, want_result = want[:FRAMES_MAX], CUT
    if sample.result != want_result:
        return "%s: result %s with %d frames of %d" % (
            label, RESULTS[sample.result], sample.n, len(want))
    if len(got) != len(want):
        return "%s: %d frames, not %d: %r, not %r" % (label, len(got), len(want), got[:4], want[:4])
    # The newest frame has moved on since, from the sampling call to the one that asks: same line.
    for i in range(len(want)):
        if got[i][: 4 if i == 0 else 5] != want[i][: 4 if i == 0 else 5]:
            return "%s: frame %d is %r, not %r" % (label, i, got[i], want[i])
    return entries_fault(sample) if want_result == OK else None


def probe(label="?"):
    global probes
    sample = Sample()
    for library in (released, held):
        _, want = library.oracle_take(ctypes.byref(sample)), interpreter_stack(sys._getframe())
        probes += 1
        fault = differ(label, sample, want)
        if fault is None and not is_call(sys._getframe().f_code, sample.frames[0].lasti):
            fault = "%s: the newest frame's instruction is no call" % label
        if fault:
            problems.append("%s (%s the GIL)" % (fault, "without" if library is released else "with"))
    return label


def new_interpreter(interpreters):
    """With the main one's GIL, as servers make them."""
    for arguments, keywords in ((("legacy",), {}), ((), {"isolated": False}), ((), {})):
        try:
            return interpreters.create(*arguments, **keywords)
        except TypeError:
            pass
    raise RuntimeError("no sub-interpreters")
