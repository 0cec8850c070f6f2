"""What timing waits costs: routes with 200 waits or 200 round trips, too short to tell, and such with none."""

from server import BENCH, LIBRARY, Uwsgi, compare_all

GROUP = "waits"
TITLE = "waits timed: throughput, of the same with waits off"

ROUTES = (
    ("bench_app.py", "/none", "no wait"),
    ("bench_app.py", "/waits", "200 short waits"),
    ("../apps/waiting.py", "/untimed", "no round trip"),
    ("../apps/waiting.py", "/trips/200", "200 round trips, each with its stack"),
)


class Threaded(Uwsgi):
    """The peer that is asked is a thread of the application's."""

    def command(self):
        return [*super().command(), "--enable-threads"]


def rows(work, options):
    result = []
    for app, path, name in ROUTES:
        def make(what, waits, app=app, path=path):
            return Threaded(what, BENCH / app, path, suffix=".pprof",
                            environment=dict(LIBRARY, REQPROF_WAITS=waits))
        result += compare_all(GROUP, work, make("waits off", "0"),
                              [(make(name, "1"), options.pairs, "")], options)
    return result
