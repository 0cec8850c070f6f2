"""Requests a second of placement: GET /resource_providers with 200 providers, by wrk on one
connection, `uwsgi --http-socket` with one process and one thread.

All servers run during the whole measurement; rounds are interleaved, so that what else the
machine does hits all alike, and every ratio is taken within its round. Times on a machine are no
news; ratios are.
"""

import argparse
import json
import os
import pathlib
import re
import signal
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

BENCH = pathlib.Path(__file__).resolve().parent
TESTS = BENCH.parent
BUILD = pathlib.Path(os.environ["B"])
PROVIDERS = 200
HEADERS = ["X-Auth-Token: admin", "OpenStack-API-Version: placement 1.39"]


class Server:
    """A way to run placement."""

    def __init__(self, name, environment=None, app="/usr/bin/placement-api", suffix=None):
        self.name = name
        self.environment = environment or {}
        self.app = app
        self.suffix = suffix  # of the files that it leaves for its requests
        self.rates = []
        self.requests = 0
        self.files = 0

    def start(self, work, config):
        self.profiles = work / re.sub(r"\W", "-", self.name)
        self.profiles.mkdir()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        environment = dict(os.environ, OS_PLACEMENT_CONFIG_DIR=str(config))
        for key, value in self.environment.items():
            environment[key] = value.format(profiles=self.profiles, build=BUILD)
        self.log = open(work / (self.profiles.name + ".log"), "wb")
        self.process = subprocess.Popen(
            ["uwsgi", "--plugin", "python3", "-M", "--die-on-term",
             "--http-socket", "127.0.0.1:%d" % self.port, "--wsgi-file", self.app,
             "--processes", "1"],
            env=environment, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        self.wait_ready()

    def wait_ready(self):
        """uwsgi listens before the application is loaded: ready is who answers."""
        deadline = time.monotonic() + 120
        while True:
            try:
                with urllib.request.urlopen("http://127.0.0.1:%d/" % self.port, timeout=120):
                    return
            except urllib.error.URLError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    sys.exit("%s did not start: see %s" % (self.name, self.log.name))
                time.sleep(0.05)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self.log.close()

    def load(self, seconds):
        """Requests a second, and how many there were."""
        said = subprocess.run(
            ["wrk", "-t", "1", "-c", "1", "-d", "%ds" % seconds,
             *[word for header in HEADERS for word in ("-H", header)],
             "http://127.0.0.1:%d/resource_providers" % self.port],
            check=True, capture_output=True, text=True).stdout
        if "Non-2xx" in said:
            sys.exit("%s: %s" % (self.name, said))
        return (float(re.search(r"Requests/sec:\s*([\d.]+)", said).group(1)),
                int(re.search(r"(\d+) requests in", said).group(1)))

    def measure(self, seconds):
        # Files are removed, the directory stays: with the library, its control page is in use.
        for file in self.profiles.glob("*" + (self.suffix or ".none")):
            file.unlink()
        rate, requests = self.load(seconds)
        self.rates.append(rate)
        if self.suffix:
            self.requests += requests
            self.files += sum(1 for _ in self.profiles.glob("*" + self.suffix))


SERVERS = [
    Server("without a profiler"),
    Server("reqprof, switched off", {"LD_PRELOAD": "{build}/libreqprof.so",
                                     "REQPROF_DIR": "{profiles}", "REQPROF_ENABLE": "0"}),
    Server("reqprof", {"LD_PRELOAD": "{build}/libreqprof.so", "REQPROF_DIR": "{profiles}"},
           suffix=".pprof"),
    Server("werkzeug's ProfilerMiddleware", {"BENCH_PROFILES": "{profiles}"},
           app=str(BENCH / "profiled_placement.py"), suffix=".prof"),
]


def configure(config):
    config.mkdir()
    (config / "placement.conf").write_text(
        "[api]\nauth_strategy = noauth2\n"
        "[placement_database]\nconnection = sqlite:///%s/placement.db\nsync_on_startup = true\n"
        % config)


def row(server, base):
    ratios = [rate / other for rate, other in zip(server.rates, base.rates)]
    return {
        "name": server.name,
        "requests_per_second": round(statistics.median(server.rates), 2),
        "ratio": round(statistics.median(ratios), 4),
        "ratio_min": round(min(ratios), 4),
        "ratio_max": round(max(ratios), 4),
        "requests": server.requests if server.suffix else None,
        "files": server.files if server.suffix else None,
        "rounds": server.rates,
    }


def show(rows, rounds, seconds):
    print("placement, GET /resource_providers, %d providers: %d rounds of %d s" %
          (PROVIDERS, rounds, seconds))
    print("%-32s %10s %8s  %-15s %s" % ("", "requests/s", "ratio", "min .. max", "files of requests"))
    for r in rows:
        print("%-32s %10.1f %8.3f  %.3f .. %.3f  %s" % (
            r["name"], r["requests_per_second"], r["ratio"], r["ratio_min"], r["ratio_max"],
            "" if r["files"] is None else "%d of %d" % (r["files"], r["requests"])))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=int, default=4)
    options = parser.parse_args()
    work = pathlib.Path(tempfile.mkdtemp(prefix="reqprof-bench-"))
    started = []
    try:
        configure(work / "config")
        for server in SERVERS:
            server.start(work, work / "config")
            started.append(server)
            if len(started) == 1:  # it makes the tables; the others find them
                subprocess.run([sys.executable, str(TESTS / "clients" / "placement_providers.py"),
                                str(server.port), str(PROVIDERS)], check=True)
        for server in SERVERS:  # caches, code objects, the first request's work
            server.load(1)
        for _ in range(options.rounds):
            for server in SERVERS:
                server.measure(options.seconds)
    finally:
        for server in started:
            server.stop()
        shutil.rmtree(work, ignore_errors=True)
    rows = [row(server, SERVERS[0]) for server in SERVERS]
    if options.json:
        print(json.dumps({"bench": "placement", "providers": PROVIDERS, "rows": rows}, indent=1))
    else:
        show(rows, options.rounds, options.seconds)


if __name__ == "__main__":
    main()
