"""check_database.py PROFILES LOG SKIP PEER: does the database agree with the profiles?

PROFILES: a directory of profiles of requests that were made one after the other; LOG: what
PostgreSQL logged with log_min_duration_statement = 0; the first SKIP bytes of it are older; PEER: how
the database stands in the profiles ("127.0.0.1:5432", "unix:/...").

Fails unless the round trips to PEER are exactly the statements that the database answered; the waits that
were for statements of 10 ms and more agree with these within 10 %; all waits are at least the time
that all statements took, but for 10 %; and of 99 % of the requests at most 1 % or 50 us are unaccounted
for. What agrees is the lower quartile: a busy machine adds to a wait what it takes to get a CPU again,
which the database does not count.
"""

import glob
import os
import re
import statistics
import sys

sys.path.insert(0, os.path.dirname(__file__))
from read_profile import Profile  # noqa: E402

DURATION = re.compile(r"LOG:  duration: ([0-9.]+) ms  (?:statement|execute|parse|bind)")
LONG_NS = 10000000


def quartile(times):
    return statistics.quantiles(times, n=4)[0]


def main(profiles_dir, log, skip, peer):
    trips = waited_ns = requests = unaccounted = 0
    waits = []
    for path in glob.glob(os.path.join(profiles_dir, "*.pprof")):
        with open(path, "rb") as file:
            profile = Profile(file.read())
        requests += 1
        rest, wall = profile.facts["reqprof.rest_ns"], profile.facts["reqprof.wall_ns"]
        unaccounted += rest > max(wall / 100, 50000)
        for sample in profile.samples:
            labels = sample["labels"]
            if labels.get("wait") == "socket" and labels.get("wait.on", "").startswith(peer + " ("):
                trips += labels.get("round_trips", 0)
                waits.append(sample["values"][2] / labels.get("count", 1))
                waited_ns += sample["values"][2]
    with open(log, errors="replace") as file:
        file.seek(int(skip))
        durations = [float(ms) * 1e6 for ms in DURATION.findall(file.read())]
    took_ns = sum(durations)
    print("%d requests, %d with more than 1 %% or 50 us unaccounted" % (requests, unaccounted))
    print("%d round trips, %d statements" % (trips, len(durations)))
    print("waited %.2f ms, statements took %.2f ms" % (waited_ns / 1e6, took_ns / 1e6))
    long_took = [ns for ns in durations if ns >= LONG_NS]
    long_waits = sorted(waits)[-len(long_took):]
    ratio = quartile(long_waits) / quartile(long_took)
    print("%d long ones: a quarter waited at most %.3f of what they took" % (len(long_took), ratio))
    ok = requests > 0 and trips == len(durations) and unaccounted <= requests / 100
    ok = ok and 0.9 <= ratio <= 1.1 and waited_ns >= 0.9 * took_ns
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
