"""Requests per second of placement's GET /resource_providers with 200 providers: bare, with reqprof
switched off, with reqprof (a file for each request), and under werkzeug's ProfilerMiddleware.

One uwsgi process with one thread on --http-socket, one connection of wrk, each contender in turn,
round after round. Prints medians of the rounds' ratios to the bare server, with their spread."""
import argparse
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(TOP, os.environ.get("B", "build"))
PROVIDERS = 200
PYTHON = "/usr/bin/python3"
CONTENDERS = [
    ("bare", "without us"),
    ("off", "reqprof, switched off"),
    ("on", "reqprof, a file for each request"),
    ("middleware", "werkzeug's ProfilerMiddleware"),
]


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(port, process, log):
    end = time.monotonic() + 60
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), 1) as s:
                s.sendall(b"GET / HTTP/1.0\r\nx-auth-token: admin\r\n\r\n")
                if s.recv(12).endswith(b" 200"):
                    return
        except OSError:
            pass
        if process.poll() is not None or time.monotonic() > end:
            sys.exit("bench: the server did not start:\n" + open(log, errors="replace").read()[-2000:])
        time.sleep(0.1)


class Server:
    """placement under uwsgi in its own process group; stopped by `with`."""

    def __init__(self, work, contender, output):
        self.port = free_port()
        self.log = os.path.join(work, "server.log")
        environment = dict(os.environ, OS_PLACEMENT_CONFIG_DIR=work)
        wsgi = "/usr/bin/placement-api"
        if contender in ("on", "off"):
            environment.update(LD_PRELOAD=os.path.join(BUILD, "libreqprof.so"), REQPROF_DIR=output,
                               REQPROF_ENABLE="1" if contender == "on" else "0")
        elif contender == "middleware":
            environment["PROFILE_DIR"] = output
            wsgi = os.path.join(TOP, "tests/bench/profiled_placement.py")
        with open(self.log, "w") as log:
            self.process = subprocess.Popen(
                ["uwsgi", "--plugin", "python3", "-M", "--die-on-term", "--disable-logging",
                 "--http-socket", "127.0.0.1:%d" % self.port, "--wsgi-file", wsgi],
                env=environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                start_new_session=True)

    def __enter__(self):
        wait_for(self.port, self.process, self.log)
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def load(port, seconds):
    """wrk's requests, requests per second and errors."""
    said = subprocess.run(
        ["wrk", "-t1", "-c1", "-d%ds" % seconds, "-H", "x-auth-token: admin", "-H",
         "OpenStack-API-Version: placement 1.39", "http://127.0.0.1:%d/resource_providers" % port],
        capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in said:
        sys.exit("bench: the server answered with errors:\n" + said)
    return (int(re.search(r"(\d+) requests in", said).group(1)),
            float(re.search(r"Requests/sec:\s*([\d.]+)", said).group(1)))


def measure(work, contender, seconds):
    output = tempfile.mkdtemp(prefix="out.", dir=work)
    with Server(work, contender, output) as server:
        load(server.port, 1)  # warm: caches, the first connection to the database
        before = len(os.listdir(output))
        requests, rate = load(server.port, seconds)
        files = len(os.listdir(output)) - before
    shutil.rmtree(output)
    return {"requests": requests, "rate": rate, "files": files}


def set_up(work):
    with open(os.path.join(work, "placement.conf"), "w") as conf:
        conf.write("[api]\nauth_strategy = noauth2\n[placement_database]\n"
                   "connection = sqlite:///%s/placement.db\nsync_on_startup = true\n" % work)
    with Server(work, "bare", work) as server:
        subprocess.run([PYTHON, os.path.join(TOP, "tests/clients/placement_providers.py"),
                        str(server.port), str(PROVIDERS)], check=True)


def summary(rounds, contender):
    ratios = [r[contender]["rate"] / r["bare"]["rate"] for r in rounds]
    requests = sum(r[contender]["requests"] for r in rounds)
    return {
        "contender": contender,
        "requests_per_second": statistics.median(r[contender]["rate"] for r in rounds),
        "ratio": statistics.median(ratios),
        "ratio_low": min(ratios),
        "ratio_high": max(ratios),
        "requests": requests,
        "files": sum(r[contender]["files"] for r in rounds),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()

    work = tempfile.mkdtemp(prefix="reqprof-bench.")
    try:
        set_up(work)
        rounds = []
        for number in range(options.rounds):
            print("round %d of %d" % (number + 1, options.rounds), file=sys.stderr)
            # Every other round the other way round: what drifts, drifts for all.
            order = CONTENDERS if number % 2 == 0 else CONTENDERS[::-1]
            rounds.append({name: measure(work, name, options.seconds) for name, _ in order})
    finally:
        shutil.rmtree(work)

    rows = [summary(rounds, name) for name, _ in CONTENDERS]
    if options.json:
        json.dump({"bench": "placement", "rounds": options.rounds, "seconds": options.seconds,
                   "rows": rows}, sys.stdout, indent=2)
        print()
        return
    print("placement, GET /resource_providers with %d providers; median of %d rounds of %d s, and their spread\n"
          % (PROVIDERS, options.rounds, options.seconds))
    print("%-36s %11s  %-24s %9s" % ("", "requests/s", "ratio to the bare server", "files"))
    for (_, title), row in zip(CONTENDERS, rows):
        files = "-" if row["contender"] in ("bare", "off") else "%d/%d" % (row["files"], row["requests"])
        print("%-36s %11.1f  %5.3f (%.3f to %.3f)   %9s" % (
            title, row["requests_per_second"], row["ratio"], row["ratio_low"], row["ratio_high"], files))
        if row["contender"] == "off" and row["files"] > 1:
            sys.exit("bench: files were written while switched off")


if __name__ == "__main__":
    main()
