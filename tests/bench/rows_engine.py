"""The engine by itself: the library's objects and hooks in drivers, on stacks of 40 Python and 60 native frames.

What is compared with a goal in time stands as a figure beside it: it is of this machine.
"""

import json
import os
import re
import subprocess
import sys
import tempfile

from row import Row
from server import BENCH, BUILD, LIBRARY

GROUP = "engine"
TITLE = "the engine: what each part costs"


def driver(work, name, *arguments, **environment):
    """What a driver says, which is one object."""
    files = [tempfile.mkdtemp(dir=work)] if name == "engine" else []
    said = subprocess.run([str(BUILD / "bench" / name), *arguments, *files],
                          env=dict(os.environ, **environment), check=True, capture_output=True,
                          text=True, cwd=work).stdout
    return json.loads(said)


def engine(work):
    repeats = [driver(work, "engine", "times") for _ in range(3)]
    best = {key: min(r[key] for r in repeats) for key in repeats[0]}
    stack = driver(work, "engine", "stack")
    emit = (best["emit_ns"] - best["create_ns"]) / 1000
    return [
        Row(GROUP, "sample, stack seen before", "", value=best["repeated_ns"] / 1000, unit="us", goal="3"),
        Row(GROUP, "sample, stack new", "sample, stack seen before",
            [r["new_ns"] / r["repeated_ns"] for r in repeats], value=best["new_ns"] / 1000, unit="us"),
        Row(GROUP, "sample, nothing cached", "sample, stack seen before",
            [r["cold_ns"] / r["repeated_ns"] for r in repeats], value=best["cold_ns"] / 1000, unit="us"),
        Row(GROUP, "handler's part of the host's stack", "", value=max(stack["cold_bytes"], stack["warm_bytes"]),
            unit="bytes", goal="1024"),
        Row(GROUP, "a profile of 40 samples, written", "creating an empty file",
            [r["emit_ns"] / r["create_ns"] for r in repeats], value=emit, unit="us more", goal="20"),
        Row(GROUP, "a head of 500 bytes, parsed", "", value=best["parse_ns"], unit="ns"),
    ]


def hooks(work):
    def run(**settings):
        return driver(work, "hooks", "times", **dict(
            LIBRARY, REQPROF_DIR=str(work / "hooks"), **settings))

    off, on = run(REQPROF_ENABLE="0"), run(REQPROF_KEEP="slower=10s")

    def threads(**settings):
        return driver(work, "hooks", "threads", **dict(
            LIBRARY, REQPROF_DIR=str(work / "hooks"), **settings))

    def many_row(name, said):
        return Row(GROUP, name, "on one thread", [said["64"] / said["1"]], value=said["64"], unit="ns more")

    def row(name, said, keys, goal=""):
        ours = sum(said[key + "_ns"] for key in keys)
        libc = sum(said[key + "_libc_ns"] for key in keys)
        return Row(GROUP, name, "libc's", [ours / libc], value=ours - libc, unit="ns more", goal=goal)

    return [
        row("read, not a request's", off, ["untracked"], "20"),
        row("read of a head of 500 bytes, off", off, ["head"], "300"),
        row("read of 500 bytes of a body, on", on, ["body"], "300"),
        row("request before its last byte, on", on, ["head", "body"], "5000"),
        row("request with its end, on, no file", on, ["head", "body", "answer"]),
        many_row("request on 64 threads, off", threads(REQPROF_ENABLE="0")),
        many_row("request on 64 threads, on, no file", threads(REQPROF_KEEP="slower=10s")),
    ]


def unwinder(work, options):
    """Ours and libunwind on the same stacks of a Python program, while it runs."""
    out = work / "unwind"
    environment = dict(os.environ, ORACLE_OUT=str(out), ORACLE_HZ="5000",
                       LD_PRELOAD=str(BUILD / "bench" / "unwind_oracle.so"))
    program = subprocess.Popen([sys.executable, str(BENCH.parent / "oracle" / "unwind_load.py"),
                                "1" if options.quick else "5"], env=environment,
                               stdout=subprocess.DEVNULL)
    program.wait(120)
    said = "".join(path.read_text() for path in work.glob("unwind.*"))
    ns = {name: float(value) for name, value in
          re.findall(r"^(ours|unw_step|unw_backtrace): ns a frame, median ([\d.]+)", said, re.M)}
    if len(ns) < 3:
        return []
    return [Row(GROUP, "a native frame, in Python", peer, [ns["ours"] / ns[peer]], value=ns["ours"], unit="ns")
            for peer in ("unw_step", "unw_backtrace")]


def rows(work, options):
    return engine(work) + hooks(work) + unwinder(work, options)
