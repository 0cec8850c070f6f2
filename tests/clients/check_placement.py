"""check_placement.py PROFILES: profiles of the placement scenario, after 200 requests for
/resource_providers/ID and 200 for /resource_providers/ID/inventories.

Fails unless each path has one profile of a worker's and one of the router's, each whole, with its
own id and status 200; no profile holds a stack of the other route's handler; all threads that used
CPU were sampled; and the handlers were seen at all.
"""

import collections
import glob
import os
import sys

sys.path.insert(0, os.path.dirname(__file__))
from read_profile import Malformed, Profile  # noqa: E402

# The function that placement runs for a route, and the file it stands in.
HANDLERS = {
    "": ("get_resource_provider", "handlers/resource_provider.py"),
    "/inventories": ("get_inventories", "handlers/inventory.py"),
}


def main(directory, count):
    errors = []
    roles = {"server": collections.Counter(), "proxy": collections.Counter()}
    ids = collections.Counter()
    threads = collections.defaultdict(lambda: [0, 0, 0])
    handlers_seen = collections.Counter()
    clocks = collections.Counter()
    for name in sorted(glob.glob(os.path.join(directory, "*.pprof"))):
        try:
            with open(name, "rb") as file:
                profile = Profile(file.read())
        except (Malformed, KeyError, IndexError, UnicodeDecodeError) as error:
            errors.append("%s: %s" % (name, error))
            continue
        facts = profile.facts
        path = facts["url.path"]
        roles[facts["reqprof.role"]][path] += 1
        ids[facts["reqprof.id"]] += 1
        clocks[facts["reqprof.clock"]] += 1
        for what, wanted, got in [
                ("status", 200, facts.get("http.response.status_code")),
                ("method", "GET", facts.get("http.request.method")),
                ("end", "complete", facts["reqprof.end"])]:
            if wanted != got:
                errors.append("%s: %s is %s, not %s" % (name, what, got, wanted))
        if facts["reqprof.role"] != "server":
            continue
        if not facts.get("reqprof.python", "").startswith("3."):
            errors.append("%s: Python is %s" % (name, facts.get("reqprof.python")))
        thread = threads[facts["process.pid"], facts["thread.id"]]
        thread[0] += 1
        thread[1] += facts["reqprof.cpu_ns"]
        thread[2] += facts["reqprof.samples"]
        for suffix, (function, source) in HANDLERS.items():
            frames = sum(1 for sample in profile.samples for frame in sample["frames"]
                         if frame["kind"] == "python" and frame["name"] == function
                         and frame["file"].endswith(source))
            if frames and path.endswith("/inventories") != (suffix == "/inventories"):
                errors.append("%s: has %d stacks in %s" % (path, frames, function))
            handlers_seen[function] += frames

    paths = set()
    for n in range(count):
        provider = "/resource_providers/%08x-0000-4000-8000-%012x" % (n, n)
        paths |= {provider, provider + "/inventories"}
    for role, seen in roles.items():
        for path in paths:
            if seen[path] != 1:
                errors.append("%s: %d profiles by a %s" % (path, seen[path], role))
        for path in set(seen) - paths:
            errors.append("%s: a profile of no request" % path)
    errors += ["id %s is in %d files" % pair for pair in ids.items() if pair[1] > 1]
    print("clocks: %s" % dict(clocks))
    others = 0
    for (pid, tid), (requests, cpu_ns, samples) in sorted(threads.items()):
        print("process %d thread %d: %d requests, %.1f ms CPU, %d samples"
              % (pid, tid, requests, cpu_ns / 1e6, samples))
        # At 997 a second; half of the CPU may have been the kernel's.
        if cpu_ns > 40e6 and samples < cpu_ns / 1e6 / 4:
            errors.append("thread %d of %d: %d samples in %d ns" % (tid, pid, samples, cpu_ns))
        others += pid != tid and samples > 0
    if len({pid for pid, _ in threads}) != 2:
        errors.append("requests in %d worker processes" % len({pid for pid, _ in threads}))
    if others < 4:
        errors.append("only %d threads beside the first ones were sampled" % others)
    for function, frames in handlers_seen.items():
        if not frames:
            errors.append("%s was never seen" % function)
    for error in errors[:40]:
        print(error)
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
