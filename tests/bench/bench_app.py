"""Flask: /millisecond works for about one, /waits makes 200 short waits, /none does as much without one."""

import os
import select

from flask import Flask

application = Flask(__name__)
WORK = int(os.environ.get("BENCH_WORK", "1"))
read_end, write_end = os.pipe()


def work(n):
    words = {}
    for i in range(n):
        words["key-%d" % (i % 100)] = words.get("key-%d" % (i % 50), 0) + len(str(i))
    return sum(words.values())


@application.route("/")
def root():
    return "ok"


@application.route("/millisecond")
def millisecond():
    return str(work(WORK))


@application.route("/none")
def none():
    return str(work(200))


@application.route("/waits")
def waits():
    for _ in range(200):
        select.select([], [write_end], [], 1)
    return "200"
