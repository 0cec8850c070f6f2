"""Speaks HTTP/1.1 in every way a server may meet, and keeps the bytes of the answers.

    odd_requests.py PORT OUT       each conversation's answer goes to OUT/NAME; Date headers are cut.
                                   Prints "METHOD PATH STATUS" for each request that was answered.

Made for servers that run tests/apps/echo.py.
"""

import os
import re
import socket
import sys
import time


def request(line, *headers, body=b"", host=True):
    head = [line.encode()] + ([b"Host: x"] if host else []) + [h.encode() for h in headers]
    return b"\r\n".join(head) + b"\r\n\r\n" + body


class Conversation:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.answer = b""

    def send(self, data):
        self.socket.sendall(data)

    def pause(self):
        # So that the server's read ends here. Were it to read on, the test would still be right.
        time.sleep(0.005)

    def until(self, wanted):
        while wanted not in self.answer:
            data = self.socket.recv(65536)
            if not data:
                return
            self.answer += data

    def end(self):
        while True:
            try:
                data = self.socket.recv(65536)
            except ConnectionResetError:
                break
            if not data:
                break
            self.answer += data
        self.socket.close()
        return self.answer


CLOSE = "Connection: close"


def split_at(data, step):
    def converse(c):
        for at in range(0, len(data), step):
            c.send(data[at:at + step])
            c.pause()
    return converse


def whole(data):
    return lambda c: c.send(data)


def expect_continue(c):
    c.send(request("POST /continue HTTP/1.1", "Content-Length: 12", "Expect: 100-continue", CLOSE))
    c.pause()
    c.send(b"hello, world")


def two_in_turn(c):
    c.send(request("GET /turn/1 HTTP/1.1"))
    c.until(b"/turn/1")
    c.send(request("GET /turn/2 HTTP/1.1", CLOSE))


HEAD = request("GET /split HTTP/1.1", "X-Long: " + "y" * 20, CLOSE)
BODY = bytes(n % 256 for n in range(100000))

# name: (conversation, requests that are answered)
CONVERSATIONS = {
    "plain": (whole(request("GET /plain HTTP/1.1", CLOSE)), ["GET /plain 200"]),
    "http-1.0": (whole(request("GET /old HTTP/1.0", host=False)), ["GET /old 200"]),
    "head": (whole(request("HEAD /head HTTP/1.1", CLOSE)), ["HEAD /head 200"]),
    "every-byte": (split_at(HEAD, 1), ["GET /split 200"]),
    "every-7": (split_at(HEAD.replace(b"/split", b"/seven"), 7), ["GET /seven 200"]),
    "big-head": (whole(request("GET /big-head HTTP/1.1", *["X-%d: %s" % (n, "z" * 900)
                                                         for n in range(7)], CLOSE)),
                 ["GET /big-head 200"]),
    "post": (whole(request("POST /post HTTP/1.1", "Content-Length: 5", CLOSE, body=b"12345")),
             ["POST /post 200"]),
    "post-split": (split_at(request("POST /post-split HTTP/1.1", "Content-Length: 50", CLOSE,
                                    body=b"0123456789" * 5), 11), ["POST /post-split 200"]),
    "post-big": (whole(request("POST /post-big HTTP/1.1", "Content-Length: 100000", CLOSE, body=BODY)),
                 ["POST /post-big 200"]),
    "expect": (expect_continue, ["POST /continue 200"]),
    "put": (whole(request("PUT /put HTTP/1.1", "Content-Length: 3", CLOSE, body=b"abc")),
            ["PUT /put 200"]),
    "delete": (whole(request("DELETE /delete HTTP/1.1", CLOSE)), ["DELETE /delete 200"]),
    "options": (whole(request("OPTIONS /options HTTP/1.1", CLOSE)), ["OPTIONS /options 200"]),
    "status-204": (whole(request("GET /status/204 HTTP/1.1", CLOSE)), ["GET /status/204 204"]),
    "status-304": (whole(request("GET /status/304 HTTP/1.1", CLOSE)), ["GET /status/304 304"]),
    "status-404": (whole(request("GET /status/404 HTTP/1.1", CLOSE)), ["GET /status/404 404"]),
    "status-503": (whole(request("GET /status/503 HTTP/1.1", CLOSE)), ["GET /status/503 503"]),
    "large": (whole(request("GET /bytes/3000000 HTTP/1.1", CLOSE)), ["GET /bytes/3000000 200"]),
    "chunks": (whole(request("GET /chunks/50 HTTP/1.1", CLOSE)), ["GET /chunks/50 200"]),
    "no-chunks": (whole(request("GET /chunks/0 HTTP/1.1", CLOSE)), ["GET /chunks/0 200"]),
    "slow": (whole(request("GET /slow/30 HTTP/1.1", CLOSE)), ["GET /slow/30 200"]),
}
# Only where the server keeps connections alive.
KEPT_ALIVE = {
    "two-in-turn": (two_in_turn, ["GET /turn/1 200", "GET /turn/2 200"]),
    "chunked-post": (whole(request("POST /chunked HTTP/1.1", "Transfer-Encoding: chunked", CLOSE,
                                   body=b"5\r\nhello\r\n6;x=y\r\n world\r\n0\r\n\r\n")),
                     ["POST /chunked 200"]),
}


def main(port, out, kept_alive):
    os.makedirs(out, exist_ok=True)
    conversations = dict(CONVERSATIONS, **(KEPT_ALIVE if kept_alive else {}))
    for name, (converse, answered) in conversations.items():
        conversation = Conversation(port)
        try:
            converse(conversation)
        except (BrokenPipeError, ConnectionResetError):
            pass
        answer = conversation.end()
        with open(os.path.join(out, name), "wb") as file:
            file.write(re.sub(rb"(?im)^Date: .*\r\n", b"", answer))
        for line in answered:
            print(line)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], "--kept-alive" in sys.argv)
