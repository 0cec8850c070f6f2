"""Placement with a profile of each request by a profiler that is put around the application."""

import itertools
import os

from placement.wsgi import init_application

DIRECTORY = os.environ["BENCH_PROFILES"]


def with_werkzeug(app):
    """As the blog that reqprof grew out of had it."""
    from werkzeug.middleware.profiler import ProfilerMiddleware
    return ProfilerMiddleware(app, stream=None, profile_dir=DIRECTORY)


def with_yappi(app):
    """The same with yappi, by CPU time, a file for each request."""
    import yappi
    yappi.set_clock_type("cpu")
    counter = itertools.count()

    def profiled(environ, start_response):
        yappi.start()
        try:
            return list(app(environ, start_response))
        finally:
            yappi.stop()
            yappi.get_func_stats().save("%s/%d.prof" % (DIRECTORY, next(counter)), type="pstat")
            yappi.clear_stats()

    return profiled


application = {"werkzeug": with_werkzeug, "yappi": with_yappi}[os.environ["BENCH_PROFILER"]](
    init_application())
