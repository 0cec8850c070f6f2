"""Speaks HTTP/2 in every way a server may meet, and keeps what was answered.

    odd_streams.py [--app] [--tls] PORT OUT   status and body of each stream go to OUT/CONVERSATION-STREAM.
                                      Prints "METHOD PATH STATUS END" for each request, END being
                                      complete or aborted. --app: the server runs one of the echo
                                      programs of tests/apps, else it serves files.
                                      --tls: whatever certificate the server has.
    odd_streams.py --files DIR        makes the files.
"""

import os
import socket
import ssl
import sys

import h2.config
import h2.connection
import h2.events
import h2.settings

FILES = {"bytes/0": 0, "bytes/1000": 1000, "bytes/300000": 300000, "bytes/3000000": 3000000,
         "a": 3, "b": 3, "c": 3}


def make_files(directory):
    for name, size in FILES.items():
        path = os.path.join(directory, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(bytes(n % 251 for n in range(size)))
        os.chmod(path, 0o644)


class Answer:
    def __init__(self, method, path):
        self.method, self.path = method, path
        self.status, self.body, self.interim = 0, b"", 0
        self.end = None


class Client:
    """One connection. What is sent passes through `change`, which may cut frames differently."""

    def __init__(self, port, tls):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.scheme = "https" if tls else "http"
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            context.set_alpn_protocols(["h2"])
            self.socket = context.wrap_socket(self.socket)
        # hyper-h2 would rather not send what a strict server might refuse.
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(
            client_side=True, header_encoding="utf-8", validate_inbound_headers=False))
        self.h2.initiate_connection()
        self.answers = {}
        self.change = lambda data: [data]
        self.window_given = True

    def flush(self):
        for piece in self.change(self.h2.data_to_send()):
            self.socket.sendall(piece)

    def ask(self, path, method="GET", headers=(), end=True, flush=True, **more):
        stream = self.h2.get_next_available_stream_id()
        self.h2.send_headers(stream, [(":method", method), (":scheme", self.scheme),
                                      (":authority", "x"), (":path", path), *headers],
                             end_stream=end, **more)
        self.answers[stream] = Answer(method, path.partition("?")[0])
        if flush:
            self.flush()
        return stream

    def send(self, stream, data, end=False, flush=True, **more):
        self.h2.send_data(stream, data, end_stream=end, **more)
        if flush:
            self.flush()

    def reset(self, stream):
        self.h2.reset_stream(stream, 8)
        self.answers[stream].end = "aborted"
        self.flush()

    def handle(self, event):
        answer = self.answers.get(getattr(event, "stream_id", None))
        if isinstance(event, h2.events.InformationalResponseReceived):
            answer.interim += 1
        elif isinstance(event, h2.events.ResponseReceived):
            answer.status = int(dict(event.headers)[":status"])
        elif isinstance(event, h2.events.DataReceived):
            if answer.end is None:
                answer.body += event.data
            if self.window_given:
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamEnded):
            answer.end = answer.end or "complete"
        elif isinstance(event, h2.events.StreamReset) and answer.end is None:
            answer.end = "aborted"
        elif isinstance(event, h2.events.ConnectionTerminated):
            raise RuntimeError("the server ended the connection: %r" % event)

    def read(self):
        data = self.socket.recv(65536)
        if not data:
            raise RuntimeError("the server closed the connection")
        for event in self.h2.receive_data(data):
            self.handle(event)
        self.flush()

    def until(self, wanted):
        while not wanted():
            self.read()

    def finish(self):
        self.until(lambda: all(a.end for a in self.answers.values()))
        self.socket.close()


# ---- other ways to put the same on the wire

def frames(data):
    if data.startswith(b"PRI"):
        yield data[:24]
        data = data[24:]
    while data:
        size = 9 + int.from_bytes(data[:3], "big")
        yield data[:size]
        data = data[size:]


def frame(kind, flags, stream, payload):
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream + payload


def continued(data):
    """Header blocks in four frames, cut in the middle of fields, the first one padded."""
    out = b""
    for one in frames(data):
        if one.startswith(b"PRI") or one[3] != 1 or one[4] & 0x28:
            out += one
            continue
        flags, stream, block = one[4], one[5:9], one[9:]
        cut = [0, len(block) // 3, len(block) // 2, len(block) - 1]
        out += frame(1, flags & ~4 | 8, stream, b"\7" + block[:cut[1]] + bytes(7))
        out += frame(9, 0, stream, block[cut[1]:cut[2]])
        out += frame(9, 0, stream, block[cut[2]:cut[3]])
        out += frame(9, 4, stream, block[cut[3]:])
    return [out]


def byte_by_byte(data):
    return [data[n:n + 1] for n in range(len(data))]


# ---- conversations

def one(c):
    c.ask("/a")


def query(c):
    c.ask("/a?secret=1&b=2#c")


def head(c):
    c.ask("/bytes/1000", "HEAD")
    c.ask("/bytes/1000")


def missing(c):
    c.ask("/status/404")
    c.ask("/status/404")


def empty(c):
    c.ask("/bytes/0")


def at_once(c):
    for path in ["/a", "/bytes/300000", "/b", "/bytes/1000", "/c"]:
        c.ask(path, flush=False)
    c.flush()


def one_after_the_other(c):
    for path in ["/a", "/b", "/a", "/c", "/a"]:
        stream = c.ask(path)
        c.until(lambda: c.answers[stream].end)


def names(c):
    c.ask("/a", headers=[("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
                         ("x-request-id", "odd-1"), ("cookie", "a=b"), ("cookie", "c=" + "d" * 300)])
    c.ask("/b", headers=[("x-request-id", "odd-2"), ("cookie", "a=b")])
    c.ask("/c", headers=[("x-request-id", "odd-1")])


def long_path(c):
    c.ask("/" + "long" * 500)


def tables(c):
    """The table shrinks to nothing, grows again, and lives through many entries."""
    c.until(lambda: c.h2.remote_settings)
    c.ask("/a", headers=[("x-one", "1")])
    c.h2.encoder.header_table_size = 0
    c.ask("/b", headers=[("x-one", "1")])
    c.h2.encoder.header_table_size = 300
    for n in range(30):
        c.ask("/c", headers=[("x-many-%d" % (n % 7), "value %d" % (n % 11)), ("x-one", "1")])
        c.until(lambda: c.answers[max(c.answers)].end)
    c.h2.encoder.header_table_size = 4096
    for n in range(60):
        c.ask("/c" if n % 2 else "/b", headers=[("x-many-%d" % n, "v" * n), ("x-one", "1")])
        c.until(lambda: c.answers[max(c.answers)].end)


def continuations(c):
    c.change = continued
    c.ask("/a")
    c.ask("/b", headers=[("x-long", "y" * 400)])
    c.ask("/a")


def drop_by_drop(c):
    c.change = byte_by_byte
    c.ask("/a")
    c.ask("/b")


def padding_and_priority(c):
    c.ask("/a", priority_weight=16, priority_depends_on=0, priority_exclusive=True)
    c.h2.prioritize(7, weight=20)
    c.h2.ping(b"pingpong")
    c.ask("/b")


def reset_in_the_middle(c):
    c.window_given = False
    stream = c.ask("/bytes/3000000")
    other = c.ask("/a")
    c.until(lambda: c.answers[stream].body)
    c.reset(stream)
    c.window_given = True
    c.h2.increment_flow_control_window(3000000)
    c.flush()
    c.until(lambda: c.answers[other].end)
    c.ask("/b")


def post(c):
    stream = c.ask("/posted", "POST", [("content-length", "12")], end=False)
    c.send(stream, b"hello ")
    c.send(stream, b"world\n", end=True)


def post_padded(c):
    stream = c.ask("/posted/padded", "POST", end=False, flush=False)
    c.send(stream, b"hello", pad_length=20, flush=False)
    c.send(stream, b"", end=True, flush=True)


def post_trailers(c):
    stream = c.ask("/posted/trailers", "POST", end=False)
    c.send(stream, b"hello")
    c.h2.send_headers(stream, [("x-checksum", "1"), ("x-request-id", "no")], end_stream=True)
    c.flush()


def two_posts_at_once(c):
    first = c.ask("/posted/1", "POST", end=False)
    second = c.ask("/posted/2", "PUT", end=False)
    c.send(second, b"two")
    c.send(first, b"one")
    c.send(second, b"two", end=True)
    c.send(first, b"one", end=True)


def reset_before_the_answer(c):
    stream = c.ask("/never", "POST", end=False)
    other = c.ask("/a")
    c.until(lambda: c.answers[other].end)
    c.reset(stream)
    c.ask("/b")


def statuses(c):
    for status in [201, 204, 304, 400, 418, 500, 503]:
        c.ask("/status/%d" % status)


def chunks(c):
    c.ask("/chunks/7")


ALL = [one, query, head, missing, empty, at_once, one_after_the_other, names, long_path, tables,
       continuations, drop_by_drop, padding_and_priority, reset_in_the_middle]
APP = [post, post_padded, post_trailers, two_posts_at_once, reset_before_the_answer, statuses, chunks]


def main(arguments):
    if arguments[0] == "--files":
        make_files(arguments[1])
        return
    conversations = list(ALL)
    if arguments[0] == "--app":
        conversations += APP
        arguments = arguments[1:]
    tls = arguments[0] == "--tls"
    if tls:
        arguments = arguments[1:]
    port, out = int(arguments[0]), arguments[1]
    os.makedirs(out, exist_ok=True)
    for converse in conversations:
        client = Client(port, tls)
        client.flush()
        try:
            converse(client)
            client.finish()
        except Exception as problem:
            raise RuntimeError(converse.__name__) from problem
        for stream, answer in client.answers.items():
            # How much of a body came before it was given up is chance.
            body = answer.body if answer.end == "complete" else b""
            with open("%s/%s-%d" % (out, converse.__name__, stream), "wb") as file:
                file.write(b"%d\n" % answer.status + body)
            print(answer.method, answer.path, answer.status or None, answer.end)


if __name__ == "__main__":
    main(sys.argv[1:])
