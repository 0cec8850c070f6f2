"""What timing waits costs: a route with 200 waits that are too short for a stack each, and one with none."""

from server import BENCH, LIBRARY, Uwsgi, compare_all

GROUP = "waits"
TITLE = "waits timed: throughput, of the same with waits off"


def rows(work, options):
    result = []
    for path, name in (("/none", "no wait"), ("/waits", "200 short waits")):
        def make(what, waits, path=path):
            return Uwsgi(what, BENCH / "bench_app.py", path, suffix=".pprof",
                         environment=dict(LIBRARY, REQPROF_WAITS=waits))
        result += compare_all(GROUP, work, make("waits off", "0"),
                              [(make(name, "1"), options.pairs, "")], options)
    return result
