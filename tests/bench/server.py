"""Servers under load, and how two of them are compared."""

import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

from row import Row

BENCH = pathlib.Path(__file__).resolve().parent
BUILD = pathlib.Path(os.environ["B"])
LIBRARY = {"LD_PRELOAD": str(BUILD / "libreqprof.so"), "REQPROF_DIR": "{files}",
           "REQPROF_MAX_FILES": "0", "REQPROF_MAX_BYTES": "0"}
FLOOR = dict(LIBRARY, LD_PRELOAD=str(BUILD / "bench" / "libreqprof-floor.so"))


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def descendants(pid):
    children = {}
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
        except (OSError, IndexError):
            continue
        children.setdefault(parent, []).append(int(stat.parent.name))
    found, todo = [], [pid]
    while todo:
        found.append(todo.pop())
        todo += children.get(found[-1], [])
    return found


class Server:
    """A command that serves on {port}; {files} is where it may leave files."""

    program = None
    # Server and client each on a CPU of its own. Where both are busy all the time the scheduler has them now on one, now
    # on two, for as long as a measurement lasts, and that is more than any row's difference.
    apart = False

    def __init__(self, name, environment=None, prefix=(), attach=None, suffix=None):
        self.name = name
        self.environment = environment or {}
        self.prefix = list(prefix)
        self.attach = attach  # a profiler that is started beside it
        self.suffix = suffix  # of the files of its requests

    def command(self):
        raise NotImplementedError

    def start(self, work):
        self.files = work / re.sub(r"\W+", "-", self.name)
        self.files.mkdir(exist_ok=True)
        self.port = free_port()
        environment = dict(os.environ)
        for key, value in self.environment.items():
            environment[key] = value.format(files=self.files)
        prefix = [word.format(files=self.files) for word in self.prefix]
        self.log = open(str(self.files) + ".log", "wb")
        self.process = subprocess.Popen(self.on_cpu(0) + prefix + self.command(), env=environment,
                                        stdin=subprocess.DEVNULL, stdout=self.log,
                                        stderr=self.log)
        self.beside = None
        self.wait_ready()
        if self.attach:
            words = [w.format(files=self.files, pid=self.process.pid) for w in self.attach]
            self.beside = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=self.log,
                                           stderr=self.log)
        self.load(1)  # caches, code objects, the first request's work

    def on_cpu(self, which):
        """Words before a command that keep it to the first or last CPU; none where that is nobody's wish, or the only one."""
        cpus = sorted(os.sched_getaffinity(0))
        return ["taskset", "-c", str(cpus[which])] if self.apart and len(cpus) > 1 else []

    def wait_ready(self):
        """A server may listen before the application is loaded: ready is who answers."""
        deadline = time.monotonic() + 120
        while True:
            try:
                with urllib.request.urlopen("http://127.0.0.1:%d/" % self.port, timeout=120):
                    return
            except (urllib.error.URLError, OSError):
                if self.process.poll() is not None or time.monotonic() > deadline:
                    sys.exit("%s did not start:\n%s" % (
                        self.name, pathlib.Path(self.log.name).read_text(errors="replace")[-2000:]))
                time.sleep(0.05)

    def stop(self):
        for process, how in ((self.beside, signal.SIGINT), (self.process, signal.SIGTERM)):
            if not process:
                continue
            process.send_signal(how)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.log.close()

    def cpu_ns(self):
        """CPU time that the server has used; of its programs only, not of a profiler's."""
        total = 0
        for pid in descendants(self.process.pid):
            try:
                if pathlib.Path("/proc/%d/comm" % pid).read_text().strip() != self.program:
                    continue
                for task in pathlib.Path("/proc/%d/task" % pid).iterdir():
                    total += int((task / "schedstat").read_text().split()[0])
            except (OSError, IndexError):
                continue
        return total

    def wrk(self):
        """Arguments of wrk: connections, headers, path."""
        raise NotImplementedError

    def load(self, seconds):
        """Requests a second, and CPU nanoseconds a request."""
        before = self.cpu_ns()
        said = subprocess.run([*self.on_cpu(-1), "wrk", "-t", "1", "-d", "%ds" % seconds, *self.wrk()],
                              check=True, capture_output=True, text=True).stdout
        used = self.cpu_ns() - before
        if "Non-2xx" in said:
            sys.exit("%s: %s" % (self.name, said))
        requests = int(re.search(r"(\d+) requests in", said).group(1))
        self.served = requests
        return (float(re.search(r"Requests/sec:\s*([\d.]+)", said).group(1)),
                used / max(requests, 1))

    def written(self):
        """How many files requests have left."""
        return sum(entry.name.endswith(self.suffix) for entry in os.scandir(self.files))

    def measure(self, seconds):
        """
        One round. Files stay until the bench ends: ext4 looks long for an inode to give to a new file
        while many have just been freed.
        """
        self.kept = self.written() if self.suffix else 0
        return self.load(seconds)


class Uwsgi(Server):
    """One process, one thread, no router before it."""

    program = "uwsgi"

    def __init__(self, name, app, path, headers=(), **rest):
        super().__init__(name, **rest)
        self.app = app
        self.path = path
        self.headers = headers

    def command(self):
        return ["uwsgi", "--plugin", "python3", "--die-on-term", "--disable-logging",
                "--http-socket", "127.0.0.1:%d" % self.port, "--wsgi-file", str(self.app),
                "--processes", "1"]

    def wrk(self):
        return ["-c", "1", *[word for header in self.headers for word in ("-H", header)],
                "http://127.0.0.1:%d%s" % (self.port, self.path)]


def compare(group, base, other, pairs, seconds, **row):
    """Interleaved pairs of measurements, in turns the one or the other first."""
    result = Row(group, other.name, base.name, **row)
    for n in range(pairs):
        if n % 2:
            mine, theirs = other.measure(seconds), base.measure(seconds)
        else:
            theirs, mine = base.measure(seconds), other.measure(seconds)
        result.ratios.append(mine[0] / theirs[0])
        result.cpu_ratios.append(mine[1] / theirs[1])
    return result


def compare_all(group, work, base, others, options):
    """Rows of [(server, pairs, goal)] against one server that stays. Each of the others runs only while it is measured."""
    rows = []
    base.start(work)
    try:
        for server, pairs, goal in others:
            server.start(work)
            try:
                rows.append(compare(group, base, server, pairs, options.seconds, goal=goal))
                if server.suffix:
                    rows[-1].note = "%d files of %d requests" % (
                        server.written() - server.kept, server.served)
            finally:
                server.stop()
    finally:
        base.stop()
    return rows


def on_path(command):
    return shutil.which(command) is not None


def peers(make, pairs, suffix_app=None):
    """What else a Python server could be profiled with: [(server, pairs, goal)]. make(name, **rest) is the server."""
    record = ["perf", "record", "-q", "-F", "997", "-o", "{files}/perf.data"]
    found = []
    if on_path("perf"):
        found += [make("perf record -g", prefix=[*record, "-g", "--"]),
                  make("perf record --call-graph dwarf",
                       prefix=[*record, "--call-graph", "dwarf", "--"])]
    found.append(make("gperftools", environment={"LD_PRELOAD": "libprofiler.so.0",
                                                 "CPUPROFILE": "{files}/profile",
                                                 "CPUPROFILE_FREQUENCY": "997"}))
    if on_path("py-spy"):
        found.append(make("py-spy", attach=["py-spy", "record", "-r", "997", "-d", "100000", "-o",
                                            "{files}/spy.svg", "-p", "{pid}"]))
    if on_path("austin"):
        found.append(make("austin", attach=["austin", "-i", "1003us", "-o", "{files}/austin",
                                            "-p", "{pid}"]))
    return [(server, pairs, "") for server in found]
