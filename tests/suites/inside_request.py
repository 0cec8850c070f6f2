"""Runs a module of unittest cases with every test case inside an HTTP request.

    inside_request.py MODULE RESULTS     e.g. test_socket /tmp/results

MODULE is one of CPython's regression tests, or with a dot in it any other module.

The process has a connection to itself, on which a POST with a body that never ends has begun. A byte
of the body is read before each test case, so that a profiler that follows requests takes the case
for this request's work. The same is done without a profiler: descriptors and timing are alike.
RESULTS gets a line for each test case: outcome, tab, name. SUITE_EXCLUDED: patterns of names to leave out.
"""

import faulthandler
import fnmatch
import os
import signal
import socket
import sys
import tempfile
import unittest

# The tests must find CPython's modules, not ours beside this file.
del sys.path[0]

HEAD = b"POST /inside HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n"


class Request:
    def __init__(self):
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        self.client = socket.create_connection(listener.getsockname())
        self.server, _ = listener.accept()
        listener.close()
        self.pid = os.getpid()
        self.client.sendall(HEAD)
        got = b""
        while len(got) < len(HEAD):
            got += self.server.recv(len(HEAD) - len(got))

    def resume(self):
        if os.getpid() == self.pid:
            self.client.send(b"x")
            self.server.recv(1)

    def finish(self):
        self.server.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        self.server.close()
        self.client.close()


class Outcomes(unittest.TestResult):
    """One outcome a test case: the worst that it had, subtests included."""

    ORDER = ["ok", "skip", "expected failure", "unexpected success", "FAIL", "ERROR"]

    def __init__(self, request, results):
        super().__init__()
        self.request = request
        self.results = results
        self.pid = os.getpid()
        self.worst = {}

    def startTest(self, test):
        super().startTest(test)
        self.note(test, "ok")
        # To the kernel before the case begins: should it end the process, its name is known.
        self.write("begun", test.id())
        self.request.resume()

    def stopTest(self, test):
        super().stopTest(test)
        self.write(self.worst.pop(test.id(), "ok"), test.id())

    def write(self, outcome, name):
        if os.getpid() == self.pid:
            os.write(self.results, f"{outcome}\t{name}\n".encode("ascii", "backslashreplace"))

    def note(self, test, outcome, error=None):
        if error:
            print(f"{outcome}: {test.id()}\n{self._exc_info_to_string(error, test)}", file=sys.stderr)
        name = test.id()
        if not isinstance(test, unittest.TestCase):
            self.write(outcome, name)  # setUpClass and setUpModule
            return
        before = self.worst.get(name, "ok")
        self.worst[name] = max(before, outcome, key=self.ORDER.index)

    def addError(self, test, err):
        self.note(test, "ERROR", err)

    def addFailure(self, test, err):
        self.note(test, "FAIL", err)

    def addSkip(self, test, reason):
        self.note(test, "skip")

    def addExpectedFailure(self, test, err):
        self.note(test, "expected failure")

    def addUnexpectedSuccess(self, test):
        self.note(test, "unexpected success")

    def addSubTest(self, test, subtest, err):
        if err is not None:
            self.note(test, "FAIL" if issubclass(err[0], test.failureException) else "ERROR", err)


def cases(suite, excluded):
    """The suite without the cases whose names match; its classes keep their fixtures."""
    kept = unittest.TestSuite()
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            kept.addTest(cases(test, excluded))
        elif not any(fnmatch.fnmatch(test.id(), pattern) for pattern in excluded):
            kept.addTest(test)
    return kept


def main():
    module, path = sys.argv[1:]
    results = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o600)
    from test import support

    # As regrtest has it without -u: what needs the internet, a sound card or gigabytes is skipped.
    # (test_socketserver asks for the network and means the loopback.)
    support.use_resources = ["network"] if module == "test_socketserver" else []
    support.verbose = 0
    support.real_max_memuse = support.max_memuse = 0
    # A run that hangs says where, and ends.
    faulthandler.dump_traceback_later(int(os.environ.get("SUITE_SECONDS", "600")), exit=True)
    os.chdir(tempfile.mkdtemp())
    request = Request()
    suite = unittest.defaultTestLoader.loadTestsFromName(module if "." in module else "test." + module)
    suite = cases(suite, os.environ.get("SUITE_EXCLUDED", "").split())
    outcomes = Outcomes(request, results)
    suite.run(outcomes)
    request.finish()
    os.write(results, b"end\t\n")
    os._exit(0)


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    main()
