"""placement: GET /resource_providers, by wrk on one connection. What a user of reqprof pays, and what one of its peers would cost."""

import subprocess
import sys

from server import BENCH, FLOOR, LIBRARY, Uwsgi, compare_all, peers

GROUP = "placement"
TITLE = "OpenStack placement, GET /resource_providers: throughput, of the bare server's"
PROFILED = BENCH / "profiled_placement.py"
HEADERS = ["X-Auth-Token: admin", "OpenStack-API-Version: placement 1.39"]


def configure(config):
    config.mkdir()
    (config / "placement.conf").write_text(
        "[api]\nauth_strategy = noauth2\n"
        "[placement_database]\nconnection = sqlite:///%s/placement.db\nsync_on_startup = true\n"
        % config)


def maker(config):
    def make(name, app="/usr/bin/placement-api", environment=None, **rest):
        environment = dict(environment or {}, OS_PLACEMENT_CONFIG_DIR=str(config))
        return Uwsgi(name, app, "/resource_providers", HEADERS, environment=environment, **rest)
    return make


def fill(make, work, providers):
    """A server makes the tables; the others find them."""
    server = make("filler")
    server.start(work)
    try:
        subprocess.run([sys.executable, str(BENCH.parent / "clients" / "placement_providers.py"),
                        str(server.port), str(providers)], check=True)
    finally:
        server.stop()


def rows(work, options):
    config = work / "config"
    configure(config)
    make = maker(config)
    fill(make, work, options.providers)
    floor = make("997 Hz, empty handler (the floor)", environment=FLOOR, suffix=".pprof")
    full = make("997 Hz, a file each", environment=LIBRARY, suffix=".pprof")
    wrapped = [make(name, app=str(PROFILED), suffix=".prof",
                    environment={"BENCH_PROFILER": profiler, "BENCH_PROFILES": "{files}"})
               for name, profiler in (("werkzeug's ProfilerMiddleware", "werkzeug"),
                                      ("yappi", "yappi"))]
    many, few = options.pairs, options.peer_pairs
    result = compare_all(GROUP, work, make("bare"), [
        (make("switched off", environment=dict(LIBRARY, REQPROF_ENABLE="0")), many, ""),
        (floor, many, ""),
        (full, many, "0.97"),
        (make("199 Hz, a file each", environment=dict(LIBRARY, REQPROF_RATE="199"),
              suffix=".pprof"), many, "0.99"),
        *[(server, few, "") for server in wrapped],
        *peers(make, few),
    ], options)
    result += compare_all(GROUP, work, floor, [(full, many, "0.995")], options)
    return result
