"""Placement under werkzeug's ProfilerMiddleware, as the blog that reqprof grew out of had it."""

import os

from placement.wsgi import init_application
from werkzeug.middleware.profiler import ProfilerMiddleware

application = ProfilerMiddleware(init_application(), stream=None,
                                 profile_dir=os.environ["BENCH_PROFILES"])
