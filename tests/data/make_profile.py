#!/usr/bin/env python3
"""Writes a profile file with given stacks, by hand: it shares no code with format/profile_write.c,
so that a test which reads its files also tests what reqprof-profile(5) says.

    make_profile.py -o FILE [--wall MS] [--fact KEY=VALUE]... [--stack 'COUNT FRAME;FRAME...']...

Stacks are root first. A frame is one of
    PATH.py:FIRST:NAME:LINE    Python: file, first line, qualified name, line being run
    !PATH+0xOFFSET             native: byte OFFSET of the file PATH (!PATH@BUILDID+0x... with a build id)
    [text]                     pseudo
COUNT may be COUNT/STATE with STATE one of truncated, unmerged, no-python, and COUNT@THREAD.
    --wait 'MS|KIND|ON|KEY=VALUE,...|FRAME;FRAME...'    a wait, or several added up: keys are at (ms),
                  count, trips, holder, thread, certainty; what is empty or left out at the end is not there
    --kernel MS            CPU time in the kernel that was not sampled
    --kernel-stack 'COUNT FUNCTION;...'    ticks in the kernel, outermost function first
    --runnable MS, --overlap MS
Stacks follow each other in time from 0 on in the order given; a wait's `at` moves no one.
Without --wall the request took twice its user CPU time, or all that is given when that is more. What
is left is the rest. --earlier writes what was written before waits were measured. --gzip compresses; --cut N keeps N bytes;
--flip N inverts byte N; --unmarked leaves out the check sum, and --rewritten puts it where another tool that
writes the file anew would: readers do not check it there.
"""
import argparse
import gzip
import re
import sys

PERIOD = 1003009  # 997 a second


def varint(n):
    n &= (1 << 64) - 1
    out = bytearray()
    while n >= 0x80:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def number(field, n):
    return varint(field << 3) + varint(n) if n else b""


def message(field, data):
    return varint(field << 3 | 2) + varint(len(data)) + data


def check_sum(data):
    def step(total, word):
        total = ((total ^ word) * 0x9FB21C651E98DF25) & ((1 << 64) - 1)
        return total ^ total >> 32

    total = 0
    for i in range(0, len(data), 8):
        total = step(total, int.from_bytes(data[i:i + 8].ljust(8, b"\0"), "little"))
    return "%016x" % step(total, len(data))


class Profile:
    def __init__(self):
        self.out = bytearray()
        self.known = {}
        self.count = {}
        self.string("")

    def string(self, text):
        data = text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")
        return self.once(6, data, lambda _: message(6, data), first=0)

    def once(self, kind, key, make, first=1):
        if (kind, key) not in self.known:
            number_ = self.count.get(kind, first)
            data = make(number_)
            self.count[kind] = number_ + 1
            self.known[kind, key] = number_
            self.out += data
        return self.known[kind, key]

    def comment(self, key, value):
        data = value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value
        text = b"".join(
            bytes([b]) if 0x20 < b < 0x7F and b != 0x25 or b >= 0x80 else b"%%%02X" % b
            for b in data)
        try:
            text.decode("utf-8")
        except UnicodeDecodeError:
            text = re.sub(rb"[\x80-\xff]", lambda m: b"%%%02X" % m.group()[0], text)
        self.out += number(13, self.string(key.encode() + b"=" + text))

    def value_type(self, field, kind, unit):
        kind, unit = self.string(kind), self.string(unit)
        self.out += message(field, number(1, kind) + number(2, unit))

    def function(self, name, system_name, path, first):
        key = self.string(name), self.string(system_name if system_name != name else ""), self.string(path), first
        return self.once(5, key, lambda n: message(5, number(1, n) + number(2, key[0]) +
                         number(3, key[1]) + number(4, key[2]) + number(5, first)))

    def line(self, function, line):
        return self.once(4, (function, line), lambda n: message(
            4, number(1, n) + message(4, number(1, function) + number(2, line))))

    def native(self, path, build_id, offset):
        path_id, build = self.string(path), self.string(build_id)

        def mapping(n):
            start = n << 32
            return message(3, number(1, n) + number(2, start) + number(3, start + (1 << 30)) +
                           number(5, path_id) + number(6, build))

        m = self.once(3, (path_id, build), mapping)
        return self.once(4, ("native", m, offset), lambda n: message(
            4, number(1, n) + number(2, m) + number(3, (m << 32) + offset)))

    def frame(self, text):
        if text.startswith("!"):
            path, offset = text[1:].rsplit("+", 1)
            path, _, build_id = path.partition("@")
            return self.native(path, build_id, int(offset, 16))
        if text.startswith("[") or ":" not in text:
            return self.line(self.function(text, text, "", 0), 0)
        path, first, name, line = text.rsplit(":", 3)
        return self.line(self.function(name, name.rsplit(".", 1)[-1], path, int(first)), int(line))

    def sample(self, frames, values, labels):
        data = message(1, b"".join(varint(self.frame(f)) for f in reversed(frames)))
        data += message(2, b"".join(varint(v) for v in values))
        for key, value, unit in labels:
            if isinstance(value, int):
                value = number(3, value)
            else:
                value = number(2, self.string(value))
            data += message(3, number(1, self.string(key)) + value +
                            (number(4, self.string(unit)) if unit else b""))
        self.out += message(2, data)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", required=True, metavar="FILE")
    parser.add_argument("--wall", type=float, metavar="MS")
    parser.add_argument("--start", type=int, default=1795446911123456789, metavar="NS")
    parser.add_argument("--fact", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--stack", action="append", default=[])
    parser.add_argument("--wait", action="append", default=[])
    parser.add_argument("--kernel", type=float, default=0, metavar="MS")
    parser.add_argument("--kernel-stack", action="append", default=[])
    parser.add_argument("--runnable", type=float, default=0, metavar="MS")
    parser.add_argument("--overlap", type=float, default=0, metavar="MS")
    parser.add_argument("--earlier", action="store_true")
    parser.add_argument("--gzip", action="store_true")
    parser.add_argument("--unmarked", action="store_true")
    parser.add_argument("--rewritten", action="store_true")
    parser.add_argument("--cut", type=int)
    parser.add_argument("--flip", type=int)
    args = parser.parse_args()

    stacks = []
    for stack in args.stack:
        count, frames = stack.split(" ", 1)
        count, _, thread = count.partition("@")
        count, _, state = count.partition("/")
        stacks.append((int(count), state, int(thread or 8369), frames.split(";")))
    kernel_stacks = []
    for stack in args.kernel_stack:
        count, frames = stack.split(" ", 1)
        kernel_stacks.append((int(count), ["[kernel]"] + frames.split(";")))
    waits = []
    for wait in args.wait:
        ms, kind, on, keys, frames = (wait + "||||").split("|")[:5]
        keys = dict(pair.split("=", 1) for pair in keys.split(",") if pair)
        waits.append((int(float(ms) * 1e6), kind, on, keys, frames.split(";") if frames else []))
    samples = sum(count for count, _, _, _ in stacks)
    ticks = sum(count for count, _ in kernel_stacks)
    user, runnable, overlap = samples * PERIOD, int(args.runnable * 1e6), int(args.overlap * 1e6)
    kernel = int(args.kernel * 1e6) + ticks * PERIOD
    wait_ns = sum(ns for ns, _, _, _, _ in waits)
    parts = kernel + wait_ns + runnable - overlap
    wall = int(args.wall * 1e6) if args.wall is not None else max(2 * user, user + parts)
    # Samples of a request that was too short for them stand for what it had.
    each = PERIOD
    if samples and user + parts > wall:
        each = (wall - parts) // samples
        user = each * samples
    cpu = (user + kernel) if not args.earlier else samples * PERIOD
    rest = wall - user - parts
    scale = wall / (wall + overlap) if overlap else 1

    facts = {
        "reqprof.version": "1", "reqprof.id": "8368-42", "reqprof.role": "server",
        "reqprof.end": "complete", "reqprof.wall_ns": str(wall),
        "reqprof.cpu_ns": str(cpu), "reqprof.wait_ns": str(wait_ns),
        "reqprof.rest_ns": str(rest), "reqprof.samples": str(samples),
        "reqprof.clock": "perf-user", "reqprof.rate": "997", "reqprof.python": "3.11.2",
        "reqprof.threads": "1", "http.request.method": "GET", "url.path": "/users/42",
        "http.route": "/users/{n}", "http.response.status_code": "200",
        "network.protocol.name": "http/1.1", "network.peer.address": "127.0.0.1:50000",
        "process.pid": "8368", "thread.id": "8369", "process.executable.path": "/usr/bin/uwsgi",
    }
    if not args.earlier:
        facts.update({
            "reqprof.user_ns": str(user), "reqprof.kernel_ns": str(kernel),
            "reqprof.gil_ns": str(sum(ns for ns, kind, _, _, _ in waits if kind == "GIL")),
            "reqprof.runnable_ns": str(runnable), "reqprof.waits": "on",
            "reqprof.wait_count": str(sum(int(keys.get("count", 1)) for _, _, _, keys, _ in waits)),
            "reqprof.round_trips": str(sum(int(keys.get("trips", 0)) for _, _, _, keys, _ in waits)),
            "reqprof.page_faults": "12", "reqprof.preempted": "1",
        })
        if overlap:
            facts["reqprof.overlap_ns"] = str(overlap)
    states = sum(count for count, state, _, _ in stacks if state)
    if states:
        facts["reqprof.incomplete"] = str(states)
    for fact in args.fact:
        key, value = fact.split("=", 1)
        facts[key] = value

    p = Profile()
    for kind, unit in (("samples", "count"), ("cpu", "nanoseconds"), ("wait", "nanoseconds"),
                       ("wall", "nanoseconds")):
        p.value_type(1, kind, unit)
    p.value_type(11, "cpu", "nanoseconds")
    p.out += number(14, p.string("wall"))
    for key, value in facts.items():
        if value != "-":
            p.comment(key, value)
    if args.rewritten:
        p.comment("reqprof.whole", "0123456789abcdef")
    p.out += number(9, args.start) + number(10, wall) + number(12, PERIOD)
    at = 0
    left = wall

    def sample(frames, values, labels):
        nonlocal left
        values = list(values)
        values[3] = min(left, int(values[3] * scale))
        left -= values[3]
        p.sample(frames, values, labels)

    for count, state, thread, frames in stacks:
        for _ in range(count):
            labels = [("thread", thread, None), ("at", at, "nanoseconds")]
            if state:
                labels.append(("stack", state, None))
            sample(frames, (1, PERIOD, 0, each), labels)
            at += each
    for count, frames in kernel_stacks:
        for _ in range(count):
            sample(frames, (0, PERIOD, 0, PERIOD),
                   [("thread", 8369, None), ("at", at, "nanoseconds"), ("state", "kernel", None)])
            at += PERIOD
    for ns, kind, on, keys, frames in waits:
        labels = [("state", "wait", None), ("wait", kind, None),
                  ("thread", int(keys.get("thread", 8369)), None)]
        if on:
            labels.append(("wait.on", on, None))
        if "at" in keys:
            labels.append(("at", int(float(keys["at"]) * 1e6), "nanoseconds"))
        for key, label in (("count", "count"), ("trips", "round_trips")):
            if key in keys:
                labels.append((label, int(keys[key]), None))
        for key, label in (("holder", "gil.holder"), ("certainty", "certainty")):
            if key in keys:
                labels.append((label, keys[key], None))
        leaf = "[wait: %s%s]" % (kind, " " + on if on else "")
        sample(frames + [leaf], (0, 0, ns, ns), labels)
    if args.kernel:
        ns = int(args.kernel * 1e6)
        sample(["[kernel (not sampled)]"], (0, ns, 0, ns), [("state", "kernel", None)])
    if runnable:
        sample(["[waiting for a CPU]"], (0, 0, 0, runnable), [("state", "runnable", None)])
    if left > 0:
        p.sample(["[not on CPU or in the kernel]" if args.earlier else "[unaccounted]"],
                 (0, 0, 0, left), [] if args.earlier else [("state", "rest", None)])
    if not args.unmarked and not args.rewritten:
        p.comment("reqprof.whole", check_sum(bytes(p.out)))

    data = bytes(p.out)
    if args.flip is not None:
        data = data[:args.flip] + bytes([data[args.flip] ^ 0xFF]) + data[args.flip + 1:]
    if args.gzip:
        data = gzip.compress(data, mtime=0)
    if args.cut is not None:
        data = data[:args.cut]
    if args.o == "-":
        sys.stdout.buffer.write(data)
        return
    with open(args.o, "wb") as out:
        out.write(data)


if __name__ == "__main__":
    main()
