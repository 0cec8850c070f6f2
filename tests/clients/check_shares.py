"""check_shares.py ANSWERS PROFILES: do profiles of tests/apps/calibrated.py say what it used?

ANSWERS: a directory of its JSON answers; PROFILES: a directory of profile files. Prints a table of
shares, measured by the application's own CPU clock and by samples, and fails when a share is off
by more than LIMIT percentage points, a line is not one of its function's, or a name is wrong.
"""

import collections
import glob
import json
import os
import sys

sys.path.insert(0, os.path.dirname(__file__))
from read_profile import Profile  # noqa: E402

LIMIT = 2.0
SAMPLES = 2000


def main(answers, profiles):
    used, places, line_used = collections.Counter(), {}, collections.Counter()
    for name in glob.glob(os.path.join(answers, "*[0-9]")):
        with open(name) as file:
            answer = json.load(file)
        for function, found in answer["workloads"].items():
            used[function] += found["cpu_ns"]
            places[function] = found
        for line, cpu_ns in answer["lines"].items():
            line_used[int(line)] += cpu_ns

    seen, lines, errors, total, two_lines = (collections.Counter(), collections.Counter(), [], 0,
                                             collections.Counter())
    for name in sorted(glob.glob(os.path.join(profiles, "*.pprof"))):
        with open(name, "rb") as file:
            profile = Profile(file.read())
        for sample in profile.samples:
            count = sample["values"][0]
            python = [f for f in sample["frames"] if f["kind"] == "python"]
            total += count
            charged = None
            for depth, frame in enumerate(python):
                # (A namedtuple's __new__ is a <lambda> too.)
                own = os.path.basename(frame["file"]) == "calibrated.py"
                place = places.get(frame["name"]) if own else None
                if place and (depth == 0 or place["inclusive"]):
                    charged = frame
                    break
            if not charged or not count:
                continue
            function, place = charged["name"], places[charged["name"]]
            seen[function] += count
            lines[charged["line"]] += count
            if function == "two_lines":
                two_lines[charged["line"]] += count
            if charged["line"] not in place["lines"]:
                errors.append("%s: line %d is not its own" % (function, charged["line"]))
            if charged["first_line"] != place["first_line"] or charged["code"] != place["code"]:
                errors.append("%s: is %s at %d, not %s at %d" % (
                    function, charged["code"], charged["first_line"], place["code"],
                    place["first_line"]))

    inside = sum(seen.values())
    everything = sum(used.values())
    print("%d samples, %d of them in the workloads" % (total, inside))
    if inside < SAMPLES:
        errors.append("fewer than %d samples" % SAMPLES)
    for function in sorted(used, key=used.get, reverse=True):
        wanted = 100.0 * used[function] / everything
        got = 100.0 * seen[function] / max(1, inside)
        print("%-32s used %6.2f %%, sampled %6.2f %%" % (function, wanted, got))
        if abs(wanted - got) > LIMIT:
            errors.append("%s: %.2f %% instead of %.2f %%" % (function, got, wanted))
    for line, cpu_ns in line_used.items():
        wanted = 100.0 * cpu_ns / everything
        got = 100.0 * two_lines[line] / max(1, inside)
        print("line %-27d used %6.2f %%, sampled %6.2f %%" % (line, wanted, got))
        if abs(wanted - got) > LIMIT:
            errors.append("line %d: %.2f %% instead of %.2f %%" % (line, got, wanted))
    for error in sorted(set(errors)):
        print(error)
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
