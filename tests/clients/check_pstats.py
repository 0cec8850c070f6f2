"""check_pstats.py PSTATS VALUE SOURCE PROFILE...: does a pstats export say what its profiles hold?

Opens PSTATS with Python's own pstats and compares it with a reckoning from the profiles by our own
decoder: for each function of SOURCE, own and cumulative time, a stack counted once. And names: the
same functions run under cProfile must have the same keys.
"""

import cProfile
import collections
import importlib.util
import io
import os
import pstats
import sys

sys.path.insert(0, os.path.dirname(__file__))
from read_profile import Profile  # noqa: E402

SAMPLE_VALUES = ["samples", "cpu", "wait", "wall"]


def reckon(profiles, value):
    own, cumulative = collections.Counter(), collections.Counter()
    for name in profiles:
        with open(name, "rb") as file:
            profile = Profile(file.read())
        for sample in profile.samples:
            keys = [(f["file"], f["first_line"], f["code"]) for f in sample["frames"]
                    if f["kind"] == "python"]
            if keys:
                own[keys[0]] += sample["values"][value]
                for key in set(keys):
                    cumulative[key] += sample["values"][value]
    return own, cumulative


def cprofile_keys(source):
    spec = importlib.util.spec_from_file_location("calibrated", source)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.ROUNDS = 1
    profiler = cProfile.Profile()
    for path in "/calibrate", "/shares":
        profiler.runcall(module.application, {"PATH_INFO": path}, lambda *_: None)
    return set(pstats.Stats(profiler, stream=io.StringIO()).stats)


def main(exported, value, source, profiles):
    stats = pstats.Stats(exported, stream=io.StringIO())
    stats.sort_stats("cumulative").print_stats()
    stats.print_callers()
    stats.print_callees()
    errors = []
    keys = cprofile_keys(source)
    ours = {key: found for key, found in stats.stats.items() if key[0] == source}
    if len(ours) < 12:
        errors.append("only %d functions of %s" % (len(ours), source))
    for key in ours:
        if key not in keys and key[2] != "<module>":
            errors.append("cProfile has no %r" % (key,))
    own, cumulative = reckon(profiles, SAMPLE_VALUES.index(value))
    scale = 1 if value == "samples" else 1e-9
    # Wall time of several requests of a route is dealt out anew among them (tools/model/spread.h): the busier the
    # machine, the more they differ in it.
    relative = 0.1 if value == "wall" and len(profiles) > 1 else 1e-9
    for key in set(ours) | {k for k in cumulative if k[0] == source}:
        _, _, total, with_callees, _ = ours.get(key, (0, 0, 0.0, 0.0, {}))
        for what, got, wanted in [("own", total, own[key] * scale),
                                  ("cumulative", with_callees, cumulative[key] * scale)]:
            if abs(got - wanted) > 2e-6 + relative * abs(wanted):
                errors.append("%r: %s time %r, not %r" % (key, what, got, wanted))
    for error in errors[:30]:
        print(error)
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:]))
