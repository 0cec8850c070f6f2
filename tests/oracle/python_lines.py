"""
Lines of every instruction of the standard library's code objects against what the interpreter
says of them, and their names.
usage: python_lines.py FILES (0: all)
"""
import ctypes
import dis
import os
import sys
import types
import warnings

import python_probe
from python_probe import released


def codes_in(code):
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from codes_in(constant)


def expected(code):
    """The line of each code unit, first_line where there is none."""
    units = len(code.co_code) // 2
    lines = [code.co_firstlineno] * units
    if hasattr(code, "co_lines"):
        for start, end, line in code.co_lines():
            if line is not None:
                lines[start // 2:end // 2] = [line] * (end // 2 - start // 2)
    else:
        starts = list(dis.findlinestarts(code)) + [(units * 2, None)]
        for (start, line), (end, _) in zip(starts, starts[1:]):
            lines[start // 2:end // 2] = [line] * (end // 2 - start // 2)
    return lines


def sources(limit):
    found = []
    for folder, folders, names in os.walk(os.path.dirname(os.__file__)):
        folders[:] = sorted(f for f in folders if f not in ("__pycache__", "lib2to3", "site-packages", "dist-packages", "test", "tests", "idle_test"))
        found += [os.path.join(folder, name) for name in sorted(names) if name.endswith(".py")]
    step = max(1, len(found) // limit) if limit else 1
    return found[::step]


# Lines far apart, backwards, none at all, long instructions, many entries for one line.
ODD = [
    "x = 1\n" + "\n" * 400 + "y = 2\n" + "\n" * 70000 + "z = 3",
    "f(\n" + "\n" * 300 + "a,\n" + "b)",
    "x = [" + "1, " * 400 + "\n" * 200 + "y]",
    "def f():\n  for x in (\n    a,\n\n    b):\n    try:\n      pass\n    finally:\n      g(x,\n\n  y)",
    "lambda: (\n\n  yield)",
    "class C:\n  x: int = 1\n\n\n  def f(self): return [\n    i for i in\n    self]",
    "",
]


def main():
    warnings.simplefilter("ignore")
    checked = codes = 0
    wrong = []
    texts = [(name, open(name, "rb").read()) for name in sources(int(sys.argv[1])) if os.path.exists(name)]
    for name, source in texts + [("<odd %d>" % i, text) for i, text in enumerate(ODD)]:
        try:
            module = compile(source, name, "exec", dont_inherit=True)
        except (SyntaxError, ValueError):
            continue
        for code in codes_in(module):
            want = expected(code)
            got = (ctypes.c_int32 * len(want))()
            number = released.oracle_lines(ctypes.c_void_p(id(code)), got, len(want))
            codes += 1
            checked += len(want)
            if list(got) != want:
                wrong.append("%s %s: lines differ" % (name, code.co_name))
            if number == 0 or python_probe.id_key(number) != python_probe.code_key(code):
                wrong.append("%s %s: name differs" % (name, code.co_name))
            if released.oracle_line(number, -1) != code.co_firstlineno:
                wrong.append("%s %s: the first line differs" % (name, code.co_name))
    for problem in wrong[:10]:
        print("#", ascii(problem))
    print("# %s: %d look-ups in %d code objects, %d in the table" % (
        python_probe.version, checked, codes, released.oracle_codes()))
    print("%s - %s: lines of every instruction are the interpreter's" % (
        "ok" if not wrong and codes > 100 else "not ok", python_probe.version))
    sys.stdout.flush()


main()
