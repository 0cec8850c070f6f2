"""A WSGI application whose requests wait for known times, and say what they themselves measured.

Answers are JSON: for each wait by the name of its function, the milliseconds off the CPU that the
application's own clocks saw. /mixed: sleep, slow socket, lock, file lock, child, name, then CPU.
/trips/N: N questions to a peer, one after the other. /gil/MS: MS of Python that never lets go, while
/patient waits. /starts: child processes in each of the ways there are, and two threads; it tells their
process ids by name, 0 where Python does not know them. /untimed: nothing.
"""

import fcntl
import json
import os
import socket
import subprocess
import tempfile
import threading
import time


def thread(function, *arguments):
    threading.Thread(target=function, args=arguments, daemon=True).start()


# ---- the slow peer

listener = socket.create_server(("127.0.0.1", 0))


def converse(connection):
    while True:
        question = connection.recv(100)
        if not question:
            return
        time.sleep(int(question) / 1000)
        connection.sendall(b"answer")


def listen():
    while True:
        thread(converse, listener.accept()[0])


thread(listen)


# ---- waits

def queued():
    """Seconds that this thread was ready to run while no CPU was free: what a busy machine adds."""
    with open("/proc/thread-self/schedstat") as file:
        return int(file.read().split()[1]) / 1e9


def timed(function):
    """Runs it: how many milliseconds it was off the CPU at least, and at most."""
    queue, wall, cpu = queued(), time.perf_counter(), time.thread_time()
    function()
    off = (time.perf_counter() - wall) - (time.thread_time() - cpu)
    return [1000 * (off - (queued() - queue)), 1000 * off]


def sleeps():
    time.sleep(0.030)


def asks():
    with socket.create_connection(listener.getsockname()) as peer:
        peer.sendall(b"20")
        peer.recv(100)


lock = threading.Lock()


def keep_lock(taken):
    with lock:
        taken.set()
        time.sleep(0.010)


def locks():
    with lock:
        pass


def keep_file(path, taken):
    with open(path, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        taken.set()
        time.sleep(0.015)


def locks_file(path):
    with open(path, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)


def awaits_child():
    subprocess.run(["/bin/sleep", "0.025"], check=True)


def burns(seconds):
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        sum(range(20000))


hogging = threading.Event()


def hogs(seconds):
    """Python code that never waits: others get the GIL only by the interpreter's own switching."""
    hogging.set()
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        for _ in range(20000):
            pass


def mixed():
    found = {"sleeps": timed(sleeps), "asks": timed(asks)}
    taken = threading.Event()
    thread(keep_lock, taken)
    taken.wait()
    found["locks"] = timed(locks)
    with tempfile.NamedTemporaryFile() as file:
        taken = threading.Event()
        thread(keep_file, file.name, taken)
        taken.wait()
        found["locks_file"] = timed(lambda: locks_file(file.name))
    found["awaits_child"] = timed(awaits_child)
    burns(0.040)
    return found


def trips(count):
    with socket.create_connection(listener.getsockname()) as peer:
        for _ in range(count):
            peer.sendall(b"0")
            peer.recv(100)
    return {"trips": count}


def yields(rounds):
    """Short steps of Python between tiny sleeps: each must get the GIL back from whoever has it."""
    for _ in range(rounds):
        time.sleep(0)


def patient(rounds):
    if not hogging.wait(30):
        return {"error": "nobody holds the GIL"}
    return {"patient": timed(lambda: yields(rounds))}


def starts():
    with subprocess.Popen(["/bin/sleep", "0.02"]) as sleeper:
        started = {"sleep": sleeper.pid}
    started["true"] = os.posix_spawn("/bin/true", ["/bin/true"], os.environ)
    os.waitpid(started["true"], 0)
    started["env"] = os.fork()
    if not started["env"]:
        os.execv("/usr/bin/env", ["env", "sleep", "0.01"])
    time.sleep(0.005)
    os.waitpid(started["env"], 0)
    os.system("  date >/dev/null; true")
    started["date"] = 0
    threads = [threading.Thread(target=time.sleep, args=(0.001,)) for _ in range(2)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    return {"started": started}


def application(environ, start_response):
    what, _, argument = environ["PATH_INFO"].strip("/").partition("/")
    if what == "mixed":
        answer = mixed()
    elif what == "trips":
        answer = trips(int(argument))
    elif what == "gil":
        answer = {"gil": hogs(int(argument) / 1000)}
    elif what == "starts":
        answer = starts()
    elif what == "patient":
        answer = patient(int(argument))
    else:
        answer = {}
    answer["pid"] = os.getpid()
    body = json.dumps(answer).encode() + b"\n"
    start_response("200 OK", [("Content-Type", "application/json"),
                              ("Content-Length", str(len(body)))])
    return [body]
