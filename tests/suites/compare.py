"""Compares two sets of runs of one test file: compare.py NAME BARE,... PRELOADED,...

A case differs when no outcome that it had with the library is one that it had without: running
each way more than once tells a flaky case from a broken one. Prints what differs and what was
flaky; the last line is the count. Exit status 1 when something differs.
"""

import collections
import sys


def read(path):
    """Outcome by case; a case that began and never ended took its process along."""
    outcomes = {}
    ended = False
    with open(path, encoding="ascii") as lines:
        for line in lines:
            outcome, _, name = line.rstrip("\n").partition("\t")
            if outcome == "end":
                ended = True
            elif outcome == "begun":
                outcomes.setdefault(name, "never ended")
            else:
                outcomes[name] = outcome
    outcomes["the run as a whole"] = "ended" if ended else "broke off"
    return outcomes


def counts(run):
    some = collections.Counter(run.values())
    return ", ".join(f"{count} {outcome}" for outcome, count in sorted(some.items()) if outcome != "ended")


def main():
    name = sys.argv[1]
    bare = [read(path) for path in sys.argv[2].split(",")]
    preloaded = [read(path) for path in sys.argv[3].split(",")]
    different = 0
    for case in sorted(set().union(*bare, *preloaded)):
        without = {run.get(case, "did not run") for run in bare}
        with_it = {run.get(case, "did not run") for run in preloaded}
        if not without & with_it:
            different += 1
            print(f"# differs: {case}: {', '.join(sorted(without))} bare, {', '.join(sorted(with_it))} preloaded")
        elif len(without | with_it) > 1:
            print(f"# flaky: {case}: {', '.join(sorted(without))} bare, {', '.join(sorted(with_it))} preloaded")
    print(f"{name}: {counts(bare[0])} bare; {counts(preloaded[-1])} preloaded; {different} differ")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
