"""check_firefox.py PROFILE.json: is it a processed profile of the Firefox Profiler, version 48?

Checked by what the format's documentation and types say of that version: every table has columns of
its length, every index leads somewhere, prefixes come first, times never fall, categories have a
grey default. Prints what it found as JSON: for each thread name, pid, the sum of its weights in ms by
category, its markers, and its stacks as "root;leaf" with their weights.
"""

import collections
import json
import sys

COLORS = {"transparent", "purple", "green", "orange", "yellow", "lightblue", "blue", "brown",
          "magenta", "red", "lightred", "darkgrey", "grey"}
DISPLAYS = {"marker-chart", "marker-table", "timeline-overview", "timeline-memory", "timeline-ipc",
            "timeline-fileio", "stack-chart"}
FORMATS = {"url", "file-path", "sanitized-string", "string", "unique-string", "duration", "time",
           "seconds", "milliseconds", "microseconds", "nanoseconds", "bytes", "percentage",
           "integer", "decimal", "pid", "tid", "list"}
TABLES = {
    "samples": ["stack", "time", "weight", "threadCPUDelta"],
    "markers": ["data", "name", "startTime", "endTime", "phase", "category"],
    "stackTable": ["frame", "prefix", "category", "subcategory"],
    "frameTable": ["address", "inlineDepth", "category", "subcategory", "func", "nativeSymbol",
                   "innerWindowID", "implementation", "line", "column"],
    "funcTable": ["name", "isJS", "relevantForJS", "resource", "fileName", "lineNumber",
                  "columnNumber"],
    "resourceTable": ["lib", "name", "host", "type"],
    "nativeSymbols": ["libIndex", "address", "name", "functionSize"],
}


def need(condition, what):
    if not condition:
        sys.exit("not a processed profile: " + what)


def index(values, below, what, none=(None,)):
    for value in values:
        need(value in none or isinstance(value, int) and 0 <= value < below,
             "%s %r is not below %d" % (what, value, below))


def check_meta(meta):
    need(meta["preprocessedProfileVersion"] == 48, "another version")
    for key, kind in [("interval", (int, float)), ("startTime", (int, float)), ("product", str),
                      ("processType", int), ("stackwalk", int), ("version", int),
                      ("symbolicated", bool), ("markerSchema", list), ("extensions", dict)]:
        need(isinstance(meta[key], kind), "meta." + key)
    need(meta["interval"] > 0, "meta.interval")
    need(meta["sampleUnits"] == {"time": "ms", "eventDelay": "ms", "threadCPUDelta": "ns"},
         "meta.sampleUnits")
    need(any(c["color"] == "grey" for c in meta["categories"]), "no default category")
    for category in meta["categories"]:
        need(category["color"] in COLORS, "colour of %r" % category)
        need(category["subcategories"][0] == "Other", "subcategories of %r" % category)
    for schema in meta["markerSchema"]:
        need(set(schema["display"]) <= DISPLAYS, "display of %r" % schema["name"])
        for field in schema["data"]:
            need(field["format"] in FORMATS and field["key"] and field["label"], repr(field))


def check_thread(thread, meta, libs):
    for key, kind in [("name", str), ("pid", str), ("processType", str), ("isMainThread", bool),
                      ("processStartupTime", (int, float)), ("registerTime", (int, float)),
                      ("pausedRanges", list), ("stringArray", list), ("tid", (int, str))]:
        need(isinstance(thread[key], kind), "thread." + key)
    for key in "processShutdownTime", "unregisterTime":
        need(thread[key] is None or isinstance(thread[key], (int, float)), "thread." + key)
    for table, columns in TABLES.items():
        for column in columns:
            need(len(thread[table][column]) == thread[table]["length"],
                 "%s.%s has %d entries, not %d" % (table, column, len(thread[table][column]),
                                                   thread[table]["length"]))
    strings = thread["stringArray"]
    need(all(isinstance(s, str) for s in strings), "a string that is none")
    need(len(set(strings)) == len(strings), "a string stands twice")
    stacks, frames, functions = thread["stackTable"], thread["frameTable"], thread["funcTable"]
    samples, markers, resources = thread["samples"], thread["markers"], thread["resourceTable"]
    index(stacks["frame"], frames["length"], "frame", ())
    for i, prefix in enumerate(stacks["prefix"]):
        index([prefix], i, "prefix")
    for table in stacks, frames:
        index(table["category"], len(meta["categories"]), "category", ())
        for category, sub in zip(table["category"], table["subcategory"]):
            index([sub], len(meta["categories"][category]["subcategories"]), "subcategory", ())
    index(frames["func"], functions["length"], "func", ())
    index(functions["name"], len(strings), "name", ())
    index(functions["fileName"], len(strings), "fileName")
    index(functions["resource"], resources["length"], "resource", (-1,))
    index(resources["lib"], len(libs), "lib")
    index(resources["name"], len(strings), "resource name", ())
    index(samples["stack"], stacks["length"], "stack")
    need(samples["length"] > 0, "a thread without samples")
    need(samples["weightType"] == "tracing-ms", "weightType")
    need(samples["time"] == sorted(samples["time"]), "times fall")
    index(markers["name"], len(strings), "marker name", ())
    index(markers["category"], len(meta["categories"]), "marker category", ())
    types = {schema["name"] for schema in meta["markerSchema"]}
    for data, start, end, phase in zip(markers["data"], markers["startTime"], markers["endTime"],
                                       markers["phase"]):
        need(data["type"] in types, "marker of type %r" % data["type"])
        need(phase == 1 and start <= end, "marker %r" % data)
    # A sample lasts to the next one: its weight is that time, and nothing overlaps.
    for i in range(samples["length"] - 1):
        lasts = samples["time"][i + 1] - samples["time"][i]
        need(abs(lasts - samples["weight"][i]) < 2e-6 or samples["stack"][i] is None,
             "sample %d lasts %r ms and weighs %r" % (i, lasts, samples["weight"][i]))


def path_of(thread, stack):
    names = []
    while stack is not None:
        frame = thread["stackTable"]["frame"][stack]
        function = thread["frameTable"]["func"][frame]
        names.append(thread["stringArray"][thread["funcTable"]["name"][function]])
        stack = thread["stackTable"]["prefix"][stack]
    return ";".join(reversed(names))


def main(path):
    with open(path) as file:
        profile = json.load(file)
    check_meta(profile["meta"])
    for lib in profile["libs"]:
        need(set(lib) == {"arch", "name", "path", "debugName", "debugPath", "breakpadId",
                          "codeId"}, "lib %r" % lib)
    found = []
    for thread in profile["threads"]:
        check_thread(thread, profile["meta"], profile["libs"])
        stacks, categories = collections.Counter(), collections.Counter()
        for stack, weight in zip(thread["samples"]["stack"], thread["samples"]["weight"]):
            if stack is not None:
                stacks[path_of(thread, stack)] += weight
                category = thread["stackTable"]["category"][stack]
                categories[profile["meta"]["categories"][category]["name"]] += weight
        found.append({
            "name": thread["name"], "pid": thread["pid"], "stacks": stacks,
            "categories": categories,
            "markers": [dict(data, start=start, end=end) for data, start, end in zip(
                thread["markers"]["data"], thread["markers"]["startTime"],
                thread["markers"]["endTime"])],
        })
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main(sys.argv[1])
