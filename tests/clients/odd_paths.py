"""Asks for odd paths, one connection each; and checks what the profiles made of them.

    odd_paths.py PORT                       prints the request targets, one JSON string a line
    odd_paths.py --check ASKED PROFILES     the profiles hold exactly these
"""

import collections
import glob
import json
import os
import socket
import sys

sys.path.insert(0, os.path.dirname(__file__))
from read_profile import Profile  # noqa: E402

PATH_MAX = 2047

# (request target on the wire, path that a profile should hold); bytes as latin-1 here.
TARGETS = [(target, target) for target in [
    "/",
    "//",
    "/r1/" + "a" * 250,
    "/r1/" + "b/" * 200,
    "/../../../../etc/passwd",
    "/./.././..",
    "/....//....//",
    "/a%00b",
    "/%2e%2e%2fetc%2fpasswd",
    "/a%0ab%0d%0aX-Injected:%20yes",
    "/\u00fcbung/\u65e5\u672c/\U0001f600".encode().decode("latin-1"),
    "/\xff\xfe\x80 bad utf-8".replace(" ", "-"),
    "/\xc0\xaf\xed\xa0\x80",
    "/\x1b[31mred\x1b[0m\x07",
    "/\x1b]0;title\x07",
    "/\x9b31m",
    "/tab\tin-path",
    "/\x7f\x08\x08",
    "/\x01\x02\x03",
    "/a;b;c;d",
    "/`id`$(id)|cat&",
    "/'\"<script>alert(1)</script>",
    "/" + "x" * 2046,
    "*",
    "/-rf",
    "/.hidden",
    "/%s%n%x%d",
    "/\u202egnp.exe".encode().decode("latin-1"),
]] + [
    ("/" + "y" * 7999, "/" + "y" * 7999),
    ("/" + "z" * 60000, "/" + "z" * 60000),
    ("/query?secret-in-query=1", "/query"),
    ("/query?a=/b/../c?d&secret-in-query", "/query"),
    ("/fragment#secret-in-query", "/fragment"),
    ("http://example.com/absolute?secret-in-query", "/absolute"),
    ("http://secret-in-query:password@example.com/with-user", "/with-user"),
]


def ask(port, target):
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(b"GET " + target.encode("latin-1") + b" HTTP/1.1\r\nHost: x\r\n"
                           b"Connection: close\r\n\r\n")
        answer = b""
        while data := connection.recv(65536):
            answer += data
    if not answer.startswith(b"HTTP/1.1 "):
        sys.exit("%r: %r" % (target[:80], answer[:80]))


def check(asked, profiles):
    paths = dict(TARGETS)
    wanted = collections.Counter()
    with open(asked) as file:
        for line in file:
            path = paths[json.loads(line)].encode("latin-1")
            wanted[path[:PATH_MAX], len(path)] += 1
    got = collections.Counter()
    for name in glob.glob(os.path.join(profiles, "*.pprof")):
        with open(name, "rb") as file:
            facts = Profile(file.read()).facts
        path = facts["url.path"].encode("utf-8", "surrogateescape")
        got[path, facts.get("reqprof.path_bytes", len(path))] += 1
    for (path, size), count in (wanted - got).items():
        print("missing: %r of %d bytes" % (path[:100], size), count)
    for (path, size), count in (got - wanted).items():
        print("strange: %r of %d bytes" % (path[:100], size), count)
    return wanted != got


if __name__ == "__main__":
    if sys.argv[1] == "--check":
        sys.exit(check(sys.argv[2], sys.argv[3]))
    for target, _ in TARGETS:
        ask(int(sys.argv[1]), target)
        print(json.dumps(target))
