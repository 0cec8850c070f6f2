"""Reads profiles of reqprof without any code of reqprof: an oracle for the tests.

    read_profile.py [-s] FILE...     one JSON object a line; -s adds the stacks

Strict where a reader may be lenient: any byte that profile.proto does not explain, a string that
is not UTF-8, an id that names nothing, or samples that do not add up is an error (exit status 1).
"""

import gzip
import json
import os
import sys
import urllib.parse

SAMPLE_TYPES = [("samples", "count"), ("cpu", "nanoseconds"),
                ("wait", "nanoseconds"), ("wall", "nanoseconds")]
NUMBERS = {
    "reqprof.version", "reqprof.wall_ns", "reqprof.cpu_ns", "reqprof.wait_ns", "reqprof.rest_ns",
    "reqprof.samples", "reqprof.incomplete", "reqprof.rate", "reqprof.path_bytes",
    "reqprof.user_ns", "reqprof.kernel_ns", "reqprof.gil_ns", "reqprof.runnable_ns",
    "reqprof.overlap_ns", "reqprof.wait_count", "reqprof.round_trips", "reqprof.page_faults",
    "reqprof.major_faults", "reqprof.preempted", "reqprof.queued_ns", "reqprof.tail_samples",
    "reqprof.kernel_samples", "reqprof.kernel_rate", "reqprof.threads",
    "reqprof.children", "reqprof.threads_started", "reqprof.process_start_ns",
    "http.response.status_code", "process.pid", "thread.id",
}


class Malformed(Exception):
    pass


def varint(data, at):
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise Malformed("varint at byte %d" % at)
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if not byte & 0x80:
            return value, at
        shift += 7


def signed(value):
    return value - (1 << 64) if value >= 1 << 63 else value


def fields(data):
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        number, kind = key >> 3, key & 7
        if kind == 0:
            value, at = varint(data, at)
        elif kind == 2:
            size, at = varint(data, at)
            if at + size > len(data):
                raise Malformed("field %d ends past byte %d" % (number, len(data)))
            value = data[at:at + size]
            at += size
        else:
            raise Malformed("wire type %d at byte %d" % (kind, at))
        yield number, value


def numbers(value):
    """A repeated integer: one, or packed."""
    if isinstance(value, int):
        return [value]
    found, at = [], 0
    while at < len(value):
        one, at = varint(value, at)
        found.append(one)
    return found


def message(data, repeated=()):
    found = {}
    for number, value in fields(data):
        if number in repeated:
            found.setdefault(number, []).extend([value] if repeated[number] else numbers(value))
        else:
            found[number] = value
    return found


class Profile:
    def __init__(self, data):
        if data[:2] == b"\x1f\x8b":
            data = gzip.decompress(data)
        top = message(data, {1: True, 2: True, 3: True, 4: True, 5: True, 6: True, 13: False})
        self.strings = [s.decode("utf-8") for s in top.get(6, [])]
        if not self.strings or self.strings[0] != "":
            raise Malformed("string 0 is not empty")
        types = [message(t) for t in top.get(1, [])]
        if [(self.text(t, 1), self.text(t, 2)) for t in types] != SAMPLE_TYPES:
            raise Malformed("sample types")
        self.start_ns = top.get(9, 0)
        self.duration_ns = top.get(10, 0)
        self.period_ns = top.get(12, 0)
        self.mappings = {m[1]: m for m in map(message, top.get(3, []))}
        self.functions = {f[1]: f for f in map(message, top.get(5, []))}
        self.locations = {}
        for raw in top.get(4, []):
            location = message(raw, {4: True})
            location[4] = [message(line) for line in location.get(4, [])]
            self.locations[location[1]] = location
        self.facts = {}
        self.order = []
        for index in top.get(13, []):
            key, _, value = self.strings[index].partition("=")
            if any(ord(c) < 0x21 or ord(c) == 0x7F for c in value):
                raise Malformed("comment %r is not encoded" % key)
            if key in self.facts:
                raise Malformed("comment %r twice" % key)
            self.order.append(key)
            value = urllib.parse.unquote_to_bytes(value).decode("utf-8", "surrogateescape")
            self.facts[key] = int(value) if key in NUMBERS or key.startswith("reqprof.lost.") else value
        self.samples = [self.sample(raw) for raw in top.get(2, [])]
        self.check()

    def text(self, found, number):
        return self.strings[found.get(number, 0)]

    def sample(self, raw):
        found = message(raw, {1: False, 2: False, 3: True})
        values = [signed(v) for v in found.get(2, [])]
        if len(values) != len(SAMPLE_TYPES):
            raise Malformed("a sample with %d values" % len(values))
        labels = {}
        for raw_label in found.get(3, []):
            label = message(raw_label)
            labels[self.text(label, 1)] = self.text(label, 2) if 2 in label else signed(label.get(3, 0))
        return {"values": values, "labels": labels,
                "frames": [self.frame(location) for location in found.get(1, [])]}

    def frame(self, location_id):
        location = self.locations[location_id]
        if not location[4]:
            address = location.get(3, 0)
            if address == 0:
                raise Malformed("a location nowhere")
            if 2 not in location:  # generated code: in no file
                return {"kind": "native", "file": "", "offset": address}
            mapping = self.mappings[location[2]]
            if not mapping.get(2, 0) <= address < mapping.get(3, 0):
                raise Malformed("address %#x outside its mapping" % address)
            return {"kind": "native", "file": self.text(mapping, 5), "build_id": self.text(mapping, 6),
                    "offset": address - mapping.get(2, 0) + mapping.get(4, 0)}
        line = location[4][0]
        function = self.functions[line[1]]
        name = self.text(function, 2)
        if location.get(2, 0) or location.get(3, 0):
            raise Malformed("a line location with an address")
        return {"kind": "pseudo" if name.startswith("[") else "python", "name": name,
                "code": self.text(function, 3) or name.rpartition(".")[2] or name, "file": self.text(function, 4),
                "first_line": function.get(5, 0), "line": signed(line.get(2, 0))}

    def check(self):
        facts = self.facts
        if not self.order or self.order[0] != "reqprof.version":
            raise Malformed("the first comment is not reqprof.version")
        for key in ("reqprof.id", "reqprof.wall_ns", "reqprof.cpu_ns", "reqprof.rest_ns",
                    "reqprof.samples", "reqprof.clock", "reqprof.end", "process.pid", "thread.id"):
            if key not in facts:
                raise Malformed("no %s" % key)
        if facts["reqprof.wall_ns"] != self.duration_ns:
            raise Malformed("wall_ns is not the duration")
        walls = sum(s["values"][3] for s in self.samples)
        if walls != self.duration_ns:
            raise Malformed("wall values add up to %d, not %d" % (walls, self.duration_ns))
        stacks = sum(s["values"][0] for s in self.samples)
        if stacks != facts["reqprof.samples"]:
            raise Malformed("%d samples, not %d" % (stacks, facts["reqprof.samples"]))
        parts = (facts["reqprof.user_ns"] + facts["reqprof.kernel_ns"] + facts["reqprof.wait_ns"]
                 + facts.get("reqprof.runnable_ns", 0) + facts["reqprof.rest_ns"]
                 - facts.get("reqprof.overlap_ns", 0))
        if parts != facts["reqprof.wall_ns"]:
            raise Malformed("the parts make %d, not %d" % (parts, facts["reqprof.wall_ns"]))
        if facts["reqprof.user_ns"] + facts["reqprof.kernel_ns"] != facts["reqprof.cpu_ns"]:
            raise Malformed("user and kernel are not the CPU time")
        waits = sum(s["values"][2] for s in self.samples)
        if waits != facts["reqprof.wait_ns"]:
            raise Malformed("waits add up to %d, not %d" % (waits, facts["reqprof.wait_ns"]))
        self.check_states()

    def check_states(self):
        """What each kind of sample may hold, and that waits name their kind twice."""
        for sample in self.samples:
            count, cpu, wait, _ = sample["values"]
            labels = sample["labels"]
            state = labels.get("state")
            if (count == 1) != (state is None):
                raise Malformed("state %s with %d stacks" % (state, count))
            if wait and state != "wait":
                raise Malformed("%d ns of wait in state %s" % (wait, state))
            if cpu and state not in (None, "kernel"):
                raise Malformed("%d ns of CPU in state %s" % (cpu, state))
            if state == "wait":
                leaf = "[wait: %s]" % " ".join(filter(None, (labels["wait"], labels.get("wait.on"))))
                if sample["frames"][0]["name"] != leaf:
                    raise Malformed("%s is not %s" % (sample["frames"][0]["name"], leaf))
        kernel = [s for s in self.samples if s["labels"].get("state") == "kernel"]
        sampled = sum(s["frames"][-1].get("name") == "[kernel]" for s in kernel)
        if sampled != self.facts.get("reqprof.kernel_samples", 0):
            raise Malformed("%d stacks of the kernel" % sampled)
        if not self.facts.get("reqprof.overlap_ns"):
            walls = sum(s["values"][3] for s in kernel)
            if walls != self.facts["reqprof.kernel_ns"]:
                raise Malformed("the kernel's samples make %d" % walls)


def main(arguments):
    stacks = "-s" in arguments
    status = 0
    for path in arguments:
        if path == "-s":
            continue
        try:
            with open(path, "rb") as file:
                profile = Profile(file.read())
        except (Malformed, KeyError, IndexError, UnicodeDecodeError, OSError, EOFError) as error:
            print("%s: %s: %s" % (path, type(error).__name__, error), file=sys.stderr)
            status = 1
            continue
        shown = {"file": os.path.basename(path), "start_ns": profile.start_ns,
                 "period_ns": profile.period_ns, **profile.facts}
        if stacks:
            shown["stacks"] = profile.samples
        print(json.dumps(shown))
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
