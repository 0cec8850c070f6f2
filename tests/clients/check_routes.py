"""check_routes.py [OPTION...] ANSWERS PROFILES MILLISECONDS: does each answered request have its own profile?

ANSWERS: a directory of answers "route=K path=P pid=N tid=N" as tests/apps/routes.py and
tests/programs/threaded_server.c give them; PROFILES: a directory of profile files;
MILLISECONDS: of CPU that each request burnt in its function route_K.

Fails unless each answer has exactly one profile of the server's with its path, status, process and
thread; no stack holds another route's function; the route's function has nearly all the CPU that
it burnt; and no profile is left over.

--router             each request has a second profile, by a proxy
--unnamed            the server's language has no functions that we could name: all of a request's
                     samples are its route's, and no request may have much more than it burnt
--ticks              the clock was one that looks when the scheduler ticks: on a busy machine many a
                     tick finds another process, since that is when they take turns
--no-cpu             how much CPU was sampled is not looked at
--end HOW            how each request ended, if not "complete"
--protocol NAME      what network.protocol.name must be

Of servers that cannot tell their thread ("tid=") it is not looked at.
"""

import argparse
import collections
import glob
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.dirname(__file__))
from read_profile import Malformed, Profile  # noqa: E402

ROUTE = re.compile(r"route_(\d+)$")


class Native:
    """Names for file offsets, from nm: only what `route_K` needs."""

    def __init__(self):
        self.files = {}

    def load(self, path):
        def run(*command):
            return subprocess.run(command, capture_output=True, text=True).stdout
        segments = [[int(word, 16) for word in line.split()[1:6]]
                    for line in run("readelf", "-lW", path).splitlines()
                    if line.split()[:1] == ["LOAD"]]
        routes = []
        for line in run("nm", "-S", "--defined-only", path).splitlines():
            words = line.split()
            if len(words) == 4 and ROUTE.match(words[3]):
                routes.append((int(words[0], 16), int(words[1], 16), words[3]))
        return segments, routes

    def name(self, path, offset):
        if path not in self.files:
            self.files[path] = self.load(path)
        segments, routes = self.files[path]
        for file_offset, address, _, file_size, _ in segments:
            if file_offset <= offset < file_offset + file_size:
                at = offset - file_offset + address
                for start, size, name in routes:
                    if start <= at < start + size:
                        return name
        return None


def route_names(sample, native):
    names = set()
    for frame in sample["frames"]:
        if frame["kind"] == "python" and ROUTE.match(frame["name"]):
            names.add(frame["name"])
        elif frame["kind"] == "native" and "threaded_server" in frame["file"]:
            name = native.name(frame["file"], frame["offset"])
            if name:
                names.add(name)
    return names


def main(arguments):
    parser = argparse.ArgumentParser()
    parser.add_argument("--router", action="store_true")
    parser.add_argument("--unnamed", action="store_true")
    parser.add_argument("--ticks", action="store_true")
    parser.add_argument("--no-cpu", action="store_true")
    parser.add_argument("--end", default="complete")
    parser.add_argument("--protocol")
    parser.add_argument("answers")
    parser.add_argument("profiles")
    parser.add_argument("milliseconds", type=int)
    options = parser.parse_args(arguments)
    router, answers_dir, profiles_dir = options.router, options.answers, options.profiles
    errors = []
    profiles = collections.defaultdict(list)
    proxies = collections.Counter()
    for name in sorted(glob.glob(os.path.join(profiles_dir, "*.pprof"))):
        try:
            with open(name, "rb") as file:
                profile = Profile(file.read())
        except Malformed as error:
            errors.append("%s: %s" % (name, error))
            continue
        if profile.facts.get("reqprof.role") == "proxy":
            proxies[profile.facts["url.path"]] += 1
        else:
            profiles[profile.facts["url.path"]].append(profile)

    native = Native()
    burnt_ns = sampled_ns = nested_ns = answered = 0
    for name in glob.glob(os.path.join(answers_dir, "*[0-9]")):
        with open(name) as file:
            answer = dict(word.split("=", 1) for word in file.read().split())
        answered += 1
        found = profiles.pop(answer["path"], [])
        if len(found) != 1:
            errors.append("%s: %d profiles" % (answer["path"], len(found)))
            continue
        facts = found[0].facts
        for what, wanted, got in [
                ("status", 200, facts.get("http.response.status_code")),
                ("method", "GET", facts.get("http.request.method")),
                ("process", int(answer["pid"]), facts["process.pid"]),
                ("thread", int(answer.get("tid", facts["thread.id"])), facts["thread.id"]),
                ("protocol", options.protocol or facts["network.protocol.name"],
                 facts["network.protocol.name"]),
                ("end", options.end, facts["reqprof.end"]),
                ("proxies", 1 if router else 0, proxies.pop(answer["path"], 0))]:
            if wanted != got:
                errors.append("%s: %s is %s, not %s" % (answer["path"], what, got, wanted))
        burnt_ns += options.milliseconds * 1000000
        # A sample of the kernel stands for ten times as long, far too long for one request.
        samples = [s for s in found[0].samples if s["labels"].get("state") != "kernel"]
        # Ticks that came while the one before was handled, which takes long in a new process: they may have been its.
        nested_ns += facts.get("reqprof.lost.nested", 0) * max((s["values"][1] for s in samples), default=0)
        if options.unnamed:
            own_ns = sum(sample["values"][1] for sample in samples)
            sampled_ns += own_ns
            # (Time that the machine's host took away is in the clock of samples, not in getrusage's.)
            if own_ns > 3 * options.milliseconds * 1000000 and not options.no_cpu:
                errors.append("%s: %d ms of samples" % (answer["path"], own_ns // 1000000))
        for sample in samples:
            for route in route_names(sample, native):
                if route != "route_" + answer["route"]:
                    errors.append("%s: has a stack of %s" % (answer["path"], route))
                else:
                    sampled_ns += sample["values"][1]
        for key, value in facts.items():
            # A busy machine may be slower than the clock, which is said then.
            if key.startswith("reqprof.lost.") and key != "reqprof.lost.nested":
                errors.append("%s: %s = %d" % (answer["path"], key, value))
    for path in profiles:
        errors.append("%s: a profile of no request that was answered" % path)
    for path in proxies:
        errors.append("%s: a proxy's profile of no request that was answered" % path)
    if not answered:
        errors.append("no answers")
    print("%d answers; burnt %d ms, sampled %d ms in the routes' functions"
          % (answered, burnt_ns // 1000000, sampled_ns // 1000000))
    least, most = 0.3 if options.ticks else 0.85, 1.25 if options.unnamed else 1.15
    if not options.no_cpu and not (
            least * burnt_ns <= sampled_ns + nested_ns and sampled_ns <= most * burnt_ns):
        errors.append("sampled %d ns of %d" % (sampled_ns, burnt_ns))
    for error in errors[:40]:
        print(error)
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
