"""A WSGI application whose requests do not end: each route in a function of its own name.

/ok answers. The others burn CPU, sleep, crash or take memory until the process is killed; /pid says whom to kill.
/forked/PATH does so after a child was forked that sleeps on.
"""

import ctypes
import os
import time


def burn(seconds):
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        sum(range(1000))


def burns_for_ever():
    while True:
        burn(1)


def sleeps_for_ever():
    time.sleep(10000)


def crashes():
    burn(0.05)
    ctypes.string_at(0)


def takes_all_memory():
    kept = []
    while True:
        kept.append(bytearray(1 << 20))


def waits_for_a_peer():
    import socket

    burn(0.02)
    near, far = socket.socketpair()
    near.recv(1)


ENDLESS = {
    "/burn": burns_for_ever,
    "/sleep": sleeps_for_ever,
    "/crash": crashes,
    "/memory": takes_all_memory,
    "/peer": waits_for_a_peer,
}


def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path.startswith("/forked"):
        path = path[len("/forked") :]
        if os.fork() == 0:
            time.sleep(10000)
            os._exit(0)
    if path in ENDLESS:
        ENDLESS[path]()
    body = b"%d\n" % os.getpid()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
