"""check_proxied.py --sent FILE [--least SHARE] [--wrong SHARE] [--kinds K,...] [--static] PROFILES: whose work is in whose profile, for a proxy?

FILE is attribution.py's, loaded through a proxy that tests/apps/upstream.py stands behind. The proxy has no
functions of routes, but each route K lets it work in a library of its own: K % 4 of 0 to compress (libz), 1 to
match a pattern (libpcre2), 2 to check a password (libcrypt), 3 in none; --kinds: only those of them. Fails unless each request has exactly
one profile; each that was answered says so, is a proxy's, with one round trip, by the very connection that
the upstream answered on, and not shorter than the answer took there (--static: a server's, which has asked
nobody); no sample in a library stands in another route's profile, or no more than the share --wrong of them; and of
the CPU time, LEAST is in profiles, not nobody's (ctl status as JSON on standard input), and of the samples, among
which are those of the loop's own work, nearly as many.
"""

import argparse
import collections
import glob
import json
import os
import sys

sys.path.insert(0, os.path.dirname(__file__))
from read_profile import Profile  # noqa: E402

LIBRARIES = {"libz": 0, "libpcre2-8": 1, "libcrypt": 2}


def kinds_of(sample):
    names = (os.path.basename(frame["file"]).split(".so")[0] for frame in sample["frames"]
             if frame["kind"] == "native")
    return {LIBRARIES[name] for name in names if name in LIBRARIES}


def wrong_facts(facts, port, delay_ns, static):
    want = {"http.response.status_code": 200, "reqprof.end": "complete"}
    want.update({"reqprof.role": "server", "reqprof.upstream": None} if static else
                {"reqprof.role": "proxy", "reqprof.round_trips": 1})
    found = ["%s is %s" % (key, facts.get(key)) for key, value in want.items() if facts.get(key) != value]
    if facts.get("reqprof.upstream", "").rpartition(":")[2] != port and port != "unknown":
        found.append("its upstream is %s, not port %s" % (facts.get("reqprof.upstream"), port))
    if facts["reqprof.wall_ns"] < delay_ns:
        found.append("it took %d ns, its upstream %d" % (facts["reqprof.wall_ns"], delay_ns))
    return found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--sent", required=True)
    parser.add_argument("--least", type=float, default=0.98)
    parser.add_argument("--wrong", type=float, default=0)
    parser.add_argument("--kinds", default="0,1,2")
    parser.add_argument("--static", action="store_true")
    parser.add_argument("profiles")
    options = parser.parse_args()
    with open(options.sent) as file:
        sent = {path: said for path, _, said in map(str.split, file)}
    seen, samples, errors, wrong = collections.Counter(), collections.Counter(), [], []
    cpu_ns = 0
    for name in glob.glob(os.path.join(options.profiles, "*.pprof")):
        with open(name, "rb") as file:
            profile = Profile(file.read())
        path = profile.facts["url.path"]
        seen[path] += 1
        cpu_ns += profile.facts["reqprof.cpu_ns"]
        said = sent.get(path, "-")
        if said != "-":
            port, delay_ns = said.split(":")
            errors += ["%s: %s" % (path, what) for what in wrong_facts(profile.facts, port, int(delay_ns), options.static)]
        own = int(path.split("/")[1][1:]) % 4
        for sample in profile.samples:
            for kind in kinds_of(sample) if sample["values"][0] else ():
                samples[kind, kind == own] += 1
                if kind != own:
                    wrong.append("%s: a stack of kind %d, %s"
                                 % (path, kind, sample["labels"].get("certainty", "certain")))
    for one in wrong[:20]:
        print(one)
    errors += ["%d stacks in another route's profile" % len(wrong)] * (
        len(wrong) > options.wrong * sum(samples.values()))
    errors += ["%s: %d profiles" % (path, seen[path]) for path in sorted(sent.keys() | seen.keys())
               if seen[path] != 1 or path not in sent]
    errors += ["no samples of kind %d" % kind for kind in map(int, options.kinds.split(","))
               if not samples[kind, True]]
    totals = json.load(sys.stdin)["totals"]
    shared = {"CPU time": totals["shared_us"] * 1000 / max(cpu_ns + totals["shared_us"] * 1000, 1),
              "samples": totals["samples_shared"] / max(totals["samples"] + totals["samples_shared"], 1)}
    print("%d requests; samples in libraries %s; nobody's: %s"
          % (len(sent), dict(samples), ", ".join("%.1f %% of %s" % (100 * v, k) for k, v in shared.items())))
    errors += ["too much is nobody's"] * (shared["CPU time"] > 1 - options.least or
                                           shared["samples"] > 1 - options.least + 0.03)
    for error in errors[:20]:
        print(error)
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
