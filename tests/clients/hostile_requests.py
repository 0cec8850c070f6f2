"""Says to an HTTP server what nobody should, and after each conversation asks something ordinary.

    hostile_requests.py PORT OUT    what the server answered goes to OUT/NAME; Date headers are cut.
                                    Prints "GET /after/NAME" for each ordinary request.
    hostile_requests.py PORT --hold COUNT BYTES
                                    COUNT connections that each send BYTES of a head and wait; prints
                                    "held", and lets go when standard input ends.

Where a server closes on what it has not read, the kernel may throw its answer away: of those
conversations only that the server lives is told.
"""

import os
import random
import re
import socket
import sys
import time

MIB = 1 << 20


def connect(port):
    s = socket.create_connection(("127.0.0.1", port), timeout=60)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return s


def talk(port, pieces, pause=0.0):
    """Sends the pieces; what is answered until the end."""
    answer = b""
    with connect(port) as s:
        try:
            for piece in pieces:
                s.sendall(piece)
                time.sleep(pause)
            s.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it has closed; what it said before can be read
        try:
            while data := s.recv(65536):
                answer += data
        except ConnectionResetError:
            pass
    return re.sub(rb"(?im)^Date: .*\r\n", b"", answer)


def request(line, *headers, body=b""):
    return "\r\n".join([line, "Host: x", *headers, "", ""]).encode("latin-1") + body


def bytes_of(data):
    return [data[i:i + 1] for i in range(len(data))]


NOISE = random.Random(7)
POST = "POST /x HTTP/1.1"
CLOSE = "Connection: close"
# name: pieces; lossy ones are those that no server reads to the end.
CONVERSATIONS = {
    "one-byte-segments": bytes_of(request("GET /bytewise HTTP/1.1", CLOSE)),
    "cut-head": [b"GET /cut HTTP/1.1\r\nHost: x\r\nX-Long: "],
    "nothing": [],
    "only-newlines": [b"\r\n" * 50],
    "lengths-differ": [request(POST, "Content-Length: 5", "Content-Length: 6", CLOSE, body=b"hello!")],
    "lengths-agree": [request(POST, "Content-Length: 5", "Content-Length: 5", CLOSE, body=b"hello")],
    "length-and-chunks": [request(POST, "Content-Length: 5", "Transfer-Encoding: chunked", CLOSE,
                                  body=b"0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n")],
    "length-negative": [request(POST, "Content-Length: -1", CLOSE)],
    "length-huge": [request(POST, "Content-Length: 99999999999999999999", CLOSE)],
    "length-hex": [request(POST, "Content-Length: 0x5", CLOSE, body=b"hello")],
    "chunk-overflow": [request(POST, "Transfer-Encoding: chunked", CLOSE, body=b"fffffffffffffffff\r\nhello\r\n0\r\n\r\n")],
    "chunk-64-bits": [request(POST, "Transfer-Encoding: chunked", CLOSE, body=b"ffffffffffffffff\r\nhello\r\n0\r\n\r\n")],
    "chunk-negative": [request(POST, "Transfer-Encoding: chunked", CLOSE, body=b"-5\r\nhello\r\n0\r\n\r\n")],
    "chunk-cut": [request(POST, "Transfer-Encoding: chunked", CLOSE, body=b"5\r\nhel")],
    "folded": [b"GET /folded HTTP/1.1\r\nHost: x\r\nX-A: b\r\n c\r\nConnection: close\r\n\r\n"],
    "space-before-colon": [b"GET /space HTTP/1.1\r\nHost : x\r\nConnection: close\r\n\r\n"],
    "bad-version": [b"GET /v HTTP/9.9\r\n\r\n"],
    "no-version": [b"GET /old\r\n\r\n"],
    "nul": [b"GET /n\0ul HTTP/1.1\r\nHost: x\0\r\nConnection: close\r\n\r\n"],
    "file-name": [request("GET /../../etc/passwd/%2e%2e/%0d%0aSet-Cookie:%20a/-rf/$(id)/`id`/'\"* HTTP/1.1", CLOSE)],
    "file-name-bytes": [b"GET /\xff\xfe/\x1b[31m/\x7f/.hidden HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"],
    "file-name-long": [request("GET /" + "a/" * 1500 + " HTTP/1.1", CLOSE)],
    "method-long": [request("G" * 300 + " / HTTP/1.1", CLOSE)],
    "tls": [b"\x16\x03\x01\x00\x2a\x01\x00\x00\x26\x03\x03" + bytes(range(36))],
    "http2": [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"],
    "proxy": [b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\nGET /proxy HTTP/1.1\r\nHost: x\r\n\r\n"],
}
LOSSY = {
    "noise": [NOISE.randbytes(64 << 10)],
    "noise-in-pieces": [NOISE.randbytes(n) for n in range(1, 200)],
    "head-10-mib": [b"GET /big HTTP/1.1\r\nHost: x\r\n"] + [b"X-%d: " % n + b"z" * 1000 + b"\r\n" for n in range(10 * MIB // 1000)],
    "line-10-mib": [b"GET /"] + [b"a" * MIB] * 10 + [b" HTTP/1.1\r\n\r\n"],
    "value-10-mib": [b"GET /v HTTP/1.1\r\nX: "] + [b"b" * MIB] * 10 + [b"\r\n\r\n"],
}


def slow_heads(port, count):
    """Heads that come a byte at a time, and never end, while somebody else is served."""
    slow = [connect(port) for _ in range(count)]
    for at, byte in enumerate(bytes_of(request("GET /slow HTTP/1.1"))[:40]):
        for s in slow:
            s.sendall(byte)
        if at % 10 == 0:
            after(port, "slow-%d" % at)
    for s in slow:
        s.close()


def after(port, name):
    answer = talk(port, [request("GET /after/%s HTTP/1.1" % name, CLOSE)])
    assert b" 200 " in answer.split(b"\r\n", 1)[0] and name.encode() in answer, (name, answer)
    print("GET /after/" + name)


def converse(port, out):
    os.makedirs(out)
    for name, pieces in {**CONVERSATIONS, **LOSSY}.items():
        answer = talk(port, pieces, 0.002 if name == "one-byte-segments" else 0)
        if name not in LOSSY:
            with open(os.path.join(out, name), "wb") as file:
                file.write(answer)
        after(port, name)
    slow_heads(port, 3)  # of the four that the server can serve at a time


def hold(port, count, size):
    head = (b"GET /held HTTP/1.1\r\nHost: x\r\nX-Long: " + b"y" * size)[:size]
    held = [connect(port) for _ in range(count)]
    for s in held:
        s.sendall(head)
    print("held", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    if sys.argv[2] == "--hold":
        hold(int(sys.argv[1]), int(sys.argv[3]), int(sys.argv[4]))
    else:
        converse(int(sys.argv[1]), sys.argv[2])
