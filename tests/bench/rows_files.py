"""Files of placement's requests: how large they are, and how long it takes to read many of them."""

import json
import os
import shutil
import statistics
import subprocess
import time

import rows_placement
from row import Row
from server import BUILD, LIBRARY

GROUP = "files"
TITLE = "files of placement, and reading them"
SAMPLES = range(36, 45)


def serve(work, make, name, seconds, suffix, **environment):
    server = make(name, suffix=suffix, **environment)
    server.start(work)
    server.load(seconds)
    server.stop()
    return sorted(entry.path for entry in os.scandir(server.files) if entry.name.endswith(suffix))


def samples_of(directory):
    """Samples of each file, as the tool says."""
    said = subprocess.run([str(BUILD / "reqprof"), "ls", "--json", str(directory)], check=True,
                          capture_output=True, text=True).stdout
    return {request["file"]: request["samples"] for request in json.loads(said)}


def sizes(work, make, options):
    """At 4,000 samples a second these requests have about forty."""
    files = serve(work, make, "many samples", 2 * options.seconds, ".pprof",
                  environment=dict(LIBRARY, REQPROF_RATE="4000"))
    samples = samples_of(os.path.dirname(files[0]))
    fit = [path for path in files if samples[path] in SAMPLES] or files
    size = statistics.median(os.path.getsize(path) for path in fit)
    theirs = serve(work, make, "cProfile", options.seconds, ".prof",
                   app=str(rows_placement.PROFILED),
                   environment={"BENCH_PROFILER": "werkzeug", "BENCH_PROFILES": "{files}"})
    # The last one may be half written.
    ratios = [size / os.path.getsize(path) for path in theirs if os.path.getsize(path)]
    return [Row(GROUP, "a file of 40 samples", "cProfile's", ratios, value=size / 1024, unit="KiB", goal="4")]


def used(command):
    """Wall and CPU seconds."""
    before, begin = os.times(), time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = os.times()
    return (time.monotonic() - begin,
            after.children_user + after.children_system - before.children_user - before.children_system)


def reading(work, make, options):
    files = serve(work, make, "to read", 4 * options.seconds, ".pprof", environment=LIBRARY)
    many = work / "many"
    many.mkdir()
    for n in range(options.files):
        name = os.path.basename(files[n % len(files)])
        shutil.copyfile(files[n % len(files)], many / (name.rpartition("-")[0] + "-%d.pprof" % (n + 1)))
    tool = str(BUILD / "reqprof")
    rows = []
    for name, command, goal in (
            ("ls of %d files" % options.files, [tool, "ls", str(many)], "1"),
            ("report over %d files" % options.files, [tool, "report", str(many)], "1"),
            ("report of one file, names and all", [tool, "report", files[0]], "0.2")):
        pairs = [(used(command), used(["cat", *(str(p) for p in [many / f for f in os.listdir(many)])])
                  if "one" not in name else (None, None)) for _ in range(1 if options.quick else 3)]
        wall = min(ours[0] for ours, _ in pairs)
        cpu = min(ours[1] for ours, _ in pairs)
        rows.append(Row(GROUP, name, "" if "one" in name else "cat of them",
                        [] if "one" in name else [ours[0] / theirs[0] for ours, theirs in pairs],
                        value=wall, unit="s", goal=goal, note="CPU %.2f s" % cpu))
    return rows


def rows(work, options):
    config = work / "config"
    rows_placement.configure(config)
    make = rows_placement.maker(config)
    rows_placement.fill(make, work, options.providers)
    return sizes(work, make, options) + reading(work, make, options)
