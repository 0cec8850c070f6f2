"""A small HTTP/1.1 client that keeps what it got.

    http_load.py --port P [--concurrency N] [--keep-alive] [--pipeline N] [--out DIR]
                 [--tls [--resume] [--tls-version 1.2]] [PATH...]

Requests each PATH (from standard input, one a line, when none is given) once. With --out, the
body of request number i is written to DIR/i, its status to DIR/i.status. Prints one line:
"STATUS COUNT ..." of how many answers had which status. Exit status 1 if a request got none.
A line may be "METHOD PATH" or "METHOD PATH BODY"; BODY "@N" stands for N bytes.

--tls: speaks TLS (1.3), whatever certificate the server has. --resume: each connection resumes the
session of one before it, and it is an error when the server will not have that.
"""

import argparse
import collections
import os
import socket
import ssl
import sys
import threading


class Tls:
    """How the connections of one thread speak TLS."""

    def __init__(self, options):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.context.check_hostname = False
        self.context.verify_mode = ssl.CERT_NONE
        version = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}[options.tls_version]
        self.context.minimum_version = self.context.maximum_version = version
        self.resume = options.resume
        self.session = None

    def wrap(self, plain):
        secure = self.context.wrap_socket(plain, session=self.session if self.resume else None)
        if self.resume and self.session and not secure.session_reused:
            raise OSError("the server did not resume the session")
        return secure


class Connection:
    def __init__(self, port, tls):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=120)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.tls = tls
        if tls:
            self.socket = tls.wrap(self.socket)
        self.buffer = bytearray()

    def send(self, data):
        self.socket.sendall(data)

    def more(self):
        data = self.socket.recv(262144)
        self.buffer += data
        return bool(data)

    def line(self):
        while b"\n" not in self.buffer:
            if not self.more():
                raise OSError("closed inside a line: %r" % self.buffer[:80])
        at = self.buffer.index(b"\n")
        line = bytes(self.buffer[:at])
        del self.buffer[:at + 1]
        return line.rstrip(b"\r")

    def exactly(self, size):
        while len(self.buffer) < size:
            if not self.more():
                raise OSError("closed %d bytes before the end" % (size - len(self.buffer)))
        data = bytes(self.buffer[:size])
        del self.buffer[:size]
        return data

    def answer(self, method):
        """(status, body, reusable) of the next response."""
        while True:
            status = int(self.line().split()[1])
            headers = {}
            while True:
                line = self.line()
                if not line:
                    break
                name, _, value = line.partition(b":")
                headers[name.strip().lower()] = value.strip().lower()
            if status >= 200:
                break
        reusable = headers.get(b"connection") != b"close"
        if method == "HEAD" or status in (204, 304):
            return status, b"", reusable
        if headers.get(b"transfer-encoding") == b"chunked":
            body = b""
            while True:
                size = int(self.line().split(b";")[0], 16)
                body += self.exactly(size)
                self.line()
                if size == 0:
                    return status, body, reusable
        if b"content-length" in headers:
            return status, self.exactly(int(headers[b"content-length"])), reusable
        while self.more():
            pass
        body, self.buffer = bytes(self.buffer), bytearray()
        return status, body, False

    def close(self):
        if self.tls:
            self.tls.session = self.socket.session  # with TLS 1.3 it came behind the handshake
        self.socket.close()


def head(request, port, keep_alive, headers):
    method, path, body = request
    lines = ["%s %s HTTP/1.1" % (method, path), "Host: 127.0.0.1:%d" % port, *headers]
    if not keep_alive:
        lines.append("Connection: close")
    if body is not None:
        lines.append("Content-Length: %d" % len(body.encode()))
    return ("\r\n".join(lines) + "\r\n\r\n" + (body or "")).encode("utf-8", "surrogateescape")


class Load:
    def __init__(self, options, requests):
        self.options = options
        self.requests = requests
        self.next = 0
        self.lock = threading.Lock()
        self.statuses = collections.Counter()
        self.errors = []

    def take(self, count):
        with self.lock:
            first = self.next
            self.next = min(len(self.requests), first + count)
            return range(first, self.next)

    def keep(self, number, status, body):
        with self.lock:
            self.statuses[status] += 1
        if self.options.out:
            with open(os.path.join(self.options.out, str(number)), "wb") as file:
                file.write(body)
            with open(os.path.join(self.options.out, "%d.status" % number), "w") as file:
                file.write("%d\n" % status)

    def sent(self, connection, batch, tls):
        """The connection that the batch is on its way on and that has begun to answer."""
        data = b"".join(head(self.requests[i], self.options.port, self.options.keep_alive,
                             self.options.header) for i in batch)
        if connection is not None:
            # A server may close a kept connection whenever it likes: one that did is replaced.
            try:
                connection.send(data)
                if connection.buffer or connection.more():
                    return connection
            except ConnectionError:
                pass
            connection.close()
        connection = Connection(self.options.port, tls)
        connection.send(data)
        return connection

    def work(self):
        keep_alive = self.options.keep_alive
        tls = Tls(self.options) if self.options.tls else None
        connection = None
        while True:
            batch = self.take(self.options.pipeline)
            if not batch:
                break
            try:
                connection = self.sent(connection, batch, tls)
                for i in batch:
                    status, body, reusable = connection.answer(self.requests[i][0])
                    self.keep(i, status, body)
            except (OSError, ValueError, IndexError) as error:
                self.errors.append("%s: %r" % (self.requests[batch[0]][1][:80], error))
                reusable = False
            if connection is not None and not (keep_alive and reusable):
                connection.close()
                connection = None
        if connection is not None:
            connection.close()


def parse(line):
    words = line.rstrip("\n").split(" ", 2)
    if len(words) == 1:
        return "GET", words[0], None
    body = words[2] if len(words) > 2 else None
    if body and body[0] == "@":
        body = "0123456789abcdef" * (int(body[1:]) // 16 + 1)
        body = body[:int(words[2][1:])]
    return words[0], words[1], body


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--concurrency", type=int, default=1)
    parser.add_argument("--keep-alive", action="store_true")
    parser.add_argument("--pipeline", type=int, default=1)
    parser.add_argument("--header", action="append", default=[])
    parser.add_argument("--tls", action="store_true")
    parser.add_argument("--tls-version", choices=["1.2", "1.3"], default="1.3")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--out")
    parser.add_argument("path", nargs="*")
    options = parser.parse_args()
    if options.out:
        os.makedirs(options.out, exist_ok=True)
    requests = [parse(line) for line in options.path or sys.stdin]
    load = Load(options, requests)
    threads = [threading.Thread(target=load.work) for _ in range(options.concurrency)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(" ".join("%d %d" % pair for pair in sorted(load.statuses.items())))
    for error in load.errors[:20]:
        print(error, file=sys.stderr)
    return 1 if load.errors or sum(load.statuses.values()) != len(requests) else 0


if __name__ == "__main__":
    sys.exit(main())
