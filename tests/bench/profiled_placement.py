"""placement under werkzeug's ProfilerMiddleware, as one would do it without reqprof: WSGI file for uwsgi."""
import importlib.machinery
import importlib.util
import os

from werkzeug.middleware.profiler import ProfilerMiddleware

loader = importlib.machinery.SourceFileLoader("placement_api", "/usr/bin/placement-api")
module = importlib.util.module_from_spec(importlib.util.spec_from_loader("placement_api", loader))
loader.exec_module(module)
application = ProfilerMiddleware(module.application, stream=None, profile_dir=os.environ["PROFILE_DIR"])
