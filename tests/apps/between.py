"""between.py PORT REQUESTS: answers requests on one connection after a short work for each, and works longer between them, for none."""

import socket
import sys
import time

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n"


def work(ns):
    end = time.thread_time_ns() + ns
    total = 0
    while time.thread_time_ns() < end:
        for i in range(1000):
            total += i * i
    return total


def main(port, requests):
    listener = socket.create_server(("127.0.0.1", port))
    while requests > 0:
        connection, _ = listener.accept()
        while connection.recv(4096).endswith(b"\r\n\r\n"):
            work(400000)
            connection.sendall(ANSWER)
            requests -= 1
            work(1600000)
        connection.close()


main(int(sys.argv[1]), int(sys.argv[2]))
