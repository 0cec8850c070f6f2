"""make bench: one table of ratios, each of interleaved pairs measured in this run.

Times on a machine are no news; what stands beside a ratio in a unit is there for the goals that
have one. Rows come from rows_*.py, which each have GROUP, TITLE and rows(work, options).
"""

import argparse
import importlib
import json
import pathlib
import shutil
import sys
import tempfile

import show
from row import Options

BENCH = pathlib.Path(__file__).resolve().parent
GROUPS = ["placement", "flask", "nginx", "waits", "engine", "files"]
CHART = "tests/bench/bench.svg"
MARKS = "<!-- bench -->", "<!-- /bench -->"


def arguments():
    parser = argparse.ArgumentParser(prog="tests/bench/run")
    parser.add_argument("--rows", default="", help="groups of rows: " + " ".join(GROUPS))
    parser.add_argument("--quick", action="store_true", help="only that everything runs: tiny counts")
    parser.add_argument("--json", metavar="FILE", help="write the rows; - for standard output, then without the table")
    parser.add_argument("--svg", metavar="FILE", help="draw the comparisons with the bare server")
    parser.add_argument("--readme", metavar="FILE", help="put the table into this README, and the chart beside its link")
    options = parser.parse_args()
    groups = options.rows.replace(",", " ").split() or GROUPS
    for group in groups:
        if group not in GROUPS:
            parser.error("no rows named %s: there are %s" % (group, " ".join(GROUPS)))
    return options, groups


def write(path, text):
    if path == "-":
        sys.stdout.write(text)
    else:
        pathlib.Path(path).write_text(text)


def write_readme(readme, titles, rows):
    chart = readme.parent / CHART
    chart.parent.mkdir(parents=True, exist_ok=True)
    chart.write_text(show.chart(titles, rows))
    before, start, rest = readme.read_text().partition(MARKS[0])
    _, end, after = rest.partition(MARKS[1])
    if not start or not end:
        sys.exit("%s has no place for it: %s ... %s" % (readme, *MARKS))
    body = "\n\n![Throughput under profilers](%s)\n\n```\n%s\n```\n\n" % (
        CHART, show.text(titles, rows))
    readme.write_text(before + start + body + end + after)


def main():
    options, groups = arguments()
    rows, titles = [], {}
    for group in groups:
        module = importlib.import_module("rows_" + group)
        titles[module.GROUP] = module.TITLE
        work = pathlib.Path(tempfile.mkdtemp(prefix="reqprof-bench-"))
        try:
            rows += [row.to_json() for row in module.rows(work, Options(options.quick))]
        finally:
            shutil.rmtree(work, ignore_errors=True)
        if options.json != "-":
            print(show.text({module.GROUP: module.TITLE}, rows) + "\n", flush=True)
    if options.json:
        write(options.json, json.dumps({"titles": titles, "rows": rows}, indent=1) + "\n")
    if options.svg:
        write(options.svg, show.chart(titles, rows))
    if options.readme:
        write_readme(pathlib.Path(options.readme), titles, rows)


if __name__ == "__main__":
    main()
