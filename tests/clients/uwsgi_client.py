"""uwsgi_client.py PORT PATH...: requests in the uwsgi protocol, one after the other on one connection.

Prints the answers' bodies; they need a Content-Length. (uwsgi calls this the persistent protocol.)
"""

import socket
import struct
import sys


def string(text):
    return struct.pack("<H", len(text)) + text.encode()


def packet(path):
    fields = {"REQUEST_METHOD": "GET", "PATH_INFO": path, "REQUEST_URI": path + "?secret=1",
              "QUERY_STRING": "secret=1", "SERVER_PROTOCOL": "HTTP/1.1", "SERVER_NAME": "x",
              "SERVER_PORT": "80", "HTTP_HOST": "x", "CONTENT_LENGTH": ""}
    body = b"".join(string(name) + string(value) for name, value in fields.items())
    return struct.pack("<BHB", 0, len(body), 0) + body


def answer(file):
    length = 0
    for line in iter(file.readline, b"\r\n"):
        if line.lower().startswith(b"content-length:"):
            length = int(line.split(b":")[1])
        if not line:
            sys.exit("the server closed the connection")
    return file.read(length)


def main(port, paths):
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        with connection.makefile("rb") as file:
            for path in paths:
                connection.sendall(packet(path))
                sys.stdout.write(answer(file).decode())


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
