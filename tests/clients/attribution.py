"""The attribution test: loads a server with requests of all manners, and checks whose work is in
whose profile.

    attribution.py load --port P --out FILE [--requests N] [--concurrency N] [--kept N] [--manners WORD,...]
        Sends requests for tests/apps/burning's routes, each with a path of its own, and writes one
        line a request to FILE: "PATH MANNER BURNT" (of tests/apps/upstream.py: "PATH MANNER PORT:DELAY"),
        "-" where the answer was not awaited. --files: what is asked for stands in files below that directory,
        which are made first. Manners: close (a connection each), keep
        (N, 12, one after the other), pipeline (several at once), slow (the head comes in pieces,
        the answer is read late), lines (the same, in pieces that are whole lines), abort (the client is gone when it has asked).

    attribution.py check --sent FILE [--wrong SHARE] [--least SHARE] [--cpu SHARE] [--perf-map FILE] [OPTION...] PROFILES
        Fails unless each request has exactly one profile, and there are no others; at most WRONG
        of the samples in routes' functions stand in another route's profile (where any may: three times as many if all are
        in one profile, since the samples of one burst go together, and 2,000 requests have few samples each); and at least LEAST of
        what the answered requests burnt was sampled in their own profiles. --cpu: so much of it is in the CPU
        time that those count, which needs no ticks. --certain: no sample may be
        said to be inferred; --no-certain: some must be. --marks: routes are told apart by marks.py's table
        of that language. --router: each request has a second profile, by a proxy, with no route's function.
"""

import argparse
import asyncio
import bisect
import collections
import glob
import gzip
import os
import random
import re
import sys

sys.path.insert(0, os.path.dirname(__file__))
from marks import TABLES, Marks  # noqa: E402
from read_profile import Malformed, Profile  # noqa: E402

ROUTES = 16
PIPELINE = 4


# ---- load

class Plan:
    """What is left to be sent, dealt out in bundles, one a connection."""

    def __init__(self, requests, manners, kept, seed):
        deal = random.Random(seed)
        self.bundles = []
        at = 0
        while at < requests:
            manner = manners[deal.randrange(len(manners))]
            count = {"keep": kept, "pipeline": kept}.get(manner, 1)
            count = min(count, requests - at)
            self.bundles.append((manner, ["/r%d/%s-%d" % (deal.randrange(ROUTES), manner, at + i)
                                          for i in range(count)]))
            at += count

    def take(self):
        return self.bundles.pop() if self.bundles else (None, None)


def head(path, last):
    return ("GET %s HTTP/1.1\r\nHost: test\r\nUser-Agent: attribution\r\nAccept-Encoding: gzip\r\n"
            "Authorization: Basic dTpw\r\n%s\r\n" % (path, "Connection: close\r\n" if last else "")).encode()


async def read_answer(reader):
    text = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    status = int(text.split(" ", 2)[1])
    fields = dict((name.strip().lower(), value.strip()) for name, _, value in
                  (line.partition(":") for line in text.split("\r\n")[1:] if line))
    if "content-length" in fields:
        body = await reader.readexactly(int(fields["content-length"]))
    elif fields.get("transfer-encoding", "") == "chunked":
        body = b""
        while True:
            size = int(await reader.readline(), 16)
            body += (await reader.readexactly(size + 2))[:size]
            if size == 0:
                break
    else:
        body = await reader.read()
    if fields.get("content-encoding", "") == "gzip":
        body = gzip.decompress(body)
    return status, body.decode()


# Where the heads of slow clients are cut.
CUTS = {"slow": lambda whole: (7, 30),
        "lines": lambda whole: (whole.index(b"\n") + 1, whole.index(b"\n", whole.index(b"\n") + 1) + 1)}


async def converse(reader, writer, manner, paths):
    """Sends the requests of one connection; yields what each burnt, None where that was not heard."""
    if manner == "pipeline":
        for start in range(0, len(paths), PIPELINE):
            some = paths[start:start + PIPELINE]
            writer.write(b"".join(head(path, path == paths[-1]) for path in some))
            for path in some:
                yield path, await read_answer(reader)
        return
    for path in paths:
        whole = head(path, path == paths[-1])
        if manner in CUTS:
            first, second = CUTS[manner](whole)
            for piece in (whole[:first], whole[first:second], whole[second:]):
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0.004)
        else:
            writer.write(whole)
            await writer.drain()
        if manner == "abort":
            yield path, None
            return
        if manner in CUTS:
            await asyncio.sleep(0.02)
        yield path, await read_answer(reader)


async def worker(plan, port, lines, errors):
    while True:
        manner, paths = plan.take()
        if manner is None:
            return
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            async for path, answered in converse(reader, writer, manner, paths):
                said = "-"
                if answered:
                    status, body = answered
                    words = dict(word.split("=", 1) for word in body.split("\n", 1)[0].split())
                    if status != 200 or words.get("path") != path:
                        errors.append("%s: answered %d %r" % (path, status, body[:80]))
                        continue
                    said = words["burnt"] if "burnt" in words else \
                        "%s:%s" % (words["port"], words["delay"])
                lines.append("%s %s %s" % (path, manner, said))
        except (OSError, asyncio.IncompleteReadError, ValueError, KeyError) as error:
            errors.append("%s %s: %r" % (manner, paths[:1], error))
        writer.close()


def make_files(plan, root):
    """As tests/apps/upstream.py answers, without delay."""
    text = "".join("line=%d of=%x\n" % (i, i * i * 7919) for i in range(1000))
    for k in range(ROUTES):
        os.makedirs("%s/r%d" % (root, k))
    for _, paths in plan.bundles:
        for path in paths:
            with open(root + path, "w") as file:
                file.write("path=%s port=unknown delay=0\n%s" % (path, text))


async def load(options):
    plan = Plan(options.requests, options.manners.split(","), options.kept, options.seed)
    if options.files:
        make_files(plan, options.files)
    lines, errors = [], []
    await asyncio.gather(*(worker(plan, options.port, lines, errors)
                           for _ in range(options.concurrency)))
    with open(options.out, "w") as out:
        out.write("".join(line + "\n" for line in lines))
    for error in errors[:20]:
        print(error)
    print(len(lines))
    return 1 if errors else 0


# ---- check

ROUTE = re.compile(r"(?:^|[^\w])route_(\d+)(?:$|[^\w])")


class PerfMap:
    """Addresses of generated code; a later entry of the map takes the place of what it covers."""

    def __init__(self, path):
        entries = []
        with open(path, errors="replace") as file:
            for line in file:
                start, size, name = line.rstrip("\n").split(" ", 2)
                if "route_" in name:
                    entries.append((int(start, 16), int(size, 16), name))
        entries.sort(key=lambda entry: entry[0])
        self.entries = entries
        self.starts = [entry[0] for entry in entries]

    def name(self, address):
        at = bisect.bisect_right(self.starts, address) - 1
        if at < 0:
            return None
        start, size, name = self.entries[at]
        return name if address < start + size else None


def routes_in(sample, perf_map, marks):
    found = set()
    for frame in sample["frames"]:
        if marks and frame["kind"] == "native" and marks.route(frame) is not None:
            found.add(marks.route(frame))
        name = frame["name"] if frame["kind"] == "python" else None
        if frame["kind"] == "native" and not frame["file"] and perf_map:
            name = perf_map.name(frame["offset"])
        match = ROUTE.search(name) if name else None
        if match:
            found.add(int(match.group(1)))
    return found


def check(options):
    sent = {}
    with open(options.sent) as file:
        for line in file:
            path, manner, burnt = line.split()
            sent[path] = (manner, burnt)
    errors = []
    perf_map = PerfMap(options.perf_map) if options.perf_map else None
    marks = Marks(options.marks) if options.marks else None
    seen, routed = collections.Counter(), collections.Counter()
    mixed = set()
    right = wrong = burnt_ns = sampled_ns = counted_ns = inferred = 0
    for name in sorted(glob.glob(os.path.join(options.profiles, "*.pprof"))):
        with open(name, "rb") as file:
            try:
                profile = Profile(file.read())
            except Malformed as error:
                errors.append("%s: %s" % (os.path.basename(name), error))
                continue
        path = profile.facts["url.path"]
        if path not in sent:
            errors.append("%s: a profile of no request that was sent" % path)
            continue
        if options.router and profile.facts["reqprof.role"] == "proxy":
            routed[path] += 1
            strays = sum(bool(sample["values"][0] and routes_in(sample, perf_map, marks)) for sample in profile.samples)
            wrong += strays
            errors += ["%s: a proxy's profile with %d samples of routes" % (path, strays)] * bool(strays)
            continue
        seen[path] += 1
        own = int(path.split("/")[1][1:])
        if sent[path][1] != "-":
            counted_ns += min(profile.facts["reqprof.cpu_ns"], int(sent[path][1]))
        for sample in profile.samples:
            routes = routes_in(sample, perf_map, marks)
            if not routes or not sample["values"][0]:
                continue
            if routes == {own}:
                right += 1
                inferred += "certainty" in sample["labels"]
                if sent[path][1] != "-":
                    sampled_ns += sample["values"][1]
            else:
                wrong += 1
                mixed.add(path)
                if wrong <= 10:
                    print("%s: a stack of %s" % (path, sorted(routes)))
    for path, (manner, burnt) in sent.items():
        if seen[path] != 1:
            errors.append("%s (%s): %d profiles" % (path, manner, seen[path]))
        if routed[path] != options.router:
            errors.append("%s (%s): %d profiles by a proxy" % (path, manner, routed[path]))
        if burnt != "-":
            burnt_ns += int(burnt)
    share = wrong / (right + wrong) if right + wrong else 0
    print("%d requests, %d profiles; %d samples in routes: %d of another's profile (%.3f %%), %d inferred; "
          "of %d ms burnt %.1f %% are in their own profiles' samples, %.1f %% in their CPU time"
          % (len(sent), sum(seen.values()) + sum(routed.values()), right + wrong, wrong, 100 * share, inferred,
             burnt_ns // 1000000, 100 * sampled_ns / max(burnt_ns, 1),
             100 * counted_ns / max(burnt_ns, 1)))
    if right and options.certain is not None and options.certain != (inferred == 0):
        errors.append("%d samples are said to be inferred" % inferred)
    if share > options.wrong * (3 if len(mixed) == 1 else 1):
        errors.append("too many samples are in another request's profile")
    if sampled_ns < options.least * burnt_ns:
        errors.append("too little of what was burnt was found")
    if counted_ns < options.cpu * burnt_ns:
        errors.append("too little of what was burnt is in the profiles' CPU time")
    if sampled_ns > 1.1 * burnt_ns:
        errors.append("more was found than was burnt")
    for error in errors[:20]:
        print(error)
    return 1 if errors else 0


def main():
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers(dest="command", required=True)
    loading = commands.add_parser("load")
    loading.add_argument("--port", type=int, required=True)
    loading.add_argument("--out", required=True)
    loading.add_argument("--requests", type=int, default=2000)
    loading.add_argument("--concurrency", type=int, default=32)
    loading.add_argument("--kept", type=int, default=12)
    loading.add_argument("--manners", default="close,keep,pipeline,slow,abort")
    loading.add_argument("--seed", type=int, default=1)
    loading.add_argument("--files")
    checking = commands.add_parser("check")
    checking.add_argument("--sent", required=True)
    checking.add_argument("--wrong", type=float, default=0.0)
    checking.add_argument("--least", type=float, default=0.98)
    checking.add_argument("--cpu", type=float, default=0)
    checking.add_argument("--certain", action=argparse.BooleanOptionalAction)
    checking.add_argument("--perf-map")
    checking.add_argument("--marks", choices=TABLES)
    checking.add_argument("--router", action="store_true")
    checking.add_argument("profiles")
    options = parser.parse_args()
    return asyncio.run(load(options)) if options.command == "load" else check(options)


if __name__ == "__main__":
    sys.exit(main())
