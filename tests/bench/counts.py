"""make bench-counts: instructions by callgrind of what runs often, against those in counts.txt. Prints TAP.

They do not depend on what else the machine does, but on the compiler and on the libraries whose
code is on the way or on the stack: counts.txt names these, and with others all is skipped. A count that grew
by more than 3 % fails; one that fell by as much only says so. `counts.py --write` writes the file anew.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

BENCH = pathlib.Path(__file__).resolve().parent
BUILD = pathlib.Path(os.environ["B"])
KEPT = BENCH / "counts.txt"
TOLERANCE = 0.03
ABOUT = """# Instructions, counted by callgrind; made by `tests/bench/counts --write`. For each call: of ours in all, of
# hooks what they add to libc's own. `make bench-counts` fails when one has grown by over 3 %.
"""


def version(package):
    said = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", package], capture_output=True,
                          text=True)
    return said.stdout if said.returncode == 0 else "none"


def environment():
    compiler = subprocess.run(["gcc", "-dumpfullversion"], capture_output=True, text=True).stdout
    return "gcc %s, libc6 %s, libpython3.11 %s" % (compiler.strip(), version("libc6"),
                                                   version("libpython3.11"))


def callgrind(work, name, arguments, **settings):
    """Counts by name of dump; the smallest where there are several."""
    out = work / name
    clean = {"PATH": "/usr/bin:/bin", "HOME": str(work),
             # The same string functions on every processor.
             "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-AVX2_Usable,-ERMS,-FSRM"}
    ran = subprocess.run(
        ["valgrind", "--tool=callgrind", "--collect-atstart=no",
         "--callgrind-out-file=%s" % out, *arguments],
        env=dict(clean, **settings), cwd=work, capture_output=True, text=True)
    if ran.returncode:
        sys.exit("%s: %s" % (name, ran.stderr))
    counts = {}
    for dump in work.glob(name + ".*"):
        text = dump.read_text()
        what = re.search(r"^desc: Trigger: Client Request: (.*)$", text, re.M)
        total = re.search(r"^summary: (\d+)", text, re.M)
        if what and total:
            counts.setdefault(what.group(1), []).append(int(total.group(1)))
    return {what: min(found) for what, found in counts.items()}


def hooks(work, name, **settings):
    """A call's instructions beyond libc's own."""
    counts = callgrind(work, name, [str(BUILD / "bench" / "hooks"), "counts"],
                       LD_PRELOAD=str(BUILD / "libreqprof.so"), REQPROF_DIR=str(work / (name + "-files")),
                       **settings)
    return {what: (counts[what] - counts["libc: " + what]) / 100
            for what in ("read, untracked", "request")}


def perf_works():
    return subprocess.run([sys.executable, str(BENCH.parent / "clients" / "perf_works.py")],
                          capture_output=True).returncode == 0


def measure():
    work = pathlib.Path(tempfile.mkdtemp(prefix="reqprof-counts-"))
    try:
        (work / "files").mkdir()
        times = {"write a profile of 40 samples": 20}
        counts = {what: total / times.get(what, 100) for what, total in callgrind(
            work, "engine", [str(BUILD / "bench" / "engine"), "counts", str(work / "files")]).items()}
        off = hooks(work, "off", REQPROF_ENABLE="0")
        counts["hook: read, untracked"] = off["read, untracked"]
        counts["hooks: a request (two reads, one write), off"] = off["request"]
        if perf_works():
            on = hooks(work, "on", REQPROF_KEEP="slower=100s", REQPROF_RATE="1")
            counts["hooks: a request (two reads, one write), on, not kept"] = on["request"]
        return {what: round(count) for what, count in counts.items()}
    finally:
        shutil.rmtree(work, ignore_errors=True)


def read_kept():
    lines = [line for line in KEPT.read_text().splitlines() if line and line[0] != "#"]
    return lines[0], {line.partition("\t")[2]: int(line.partition("\t")[0]) for line in lines[1:]}


def write_kept(counts):
    KEPT.write_text(ABOUT + environment() + "\n" + "".join(
        "%d\t%s\n" % (count, what) for what, count in sorted(counts.items(), key=lambda c: c[0])))


def compare(kept, counts):
    failed = 0
    print("1..%d" % len(kept))
    for number, (what, before) in enumerate(kept.items(), 1):
        now = counts.get(what)
        if now is None:
            verdict, note = "ok", " # SKIP perf events are not permitted here"
        else:
            grown = now > before * (1 + TOLERANCE)
            verdict, note = "not ok" if grown else "ok", ""
            if grown or now < before * (1 - TOLERANCE):
                print("# %s: %d instructions, in counts.txt %d (%+.1f %%)" %
                      (what, now, before, 100 * (now / before - 1)))
                print("# If it is meant: tests/bench/counts --write, and say why in the commit.")
            failed += grown
        print("%s %d - instructions of: %s%s" % (verdict, number, what, note))
    return failed


def main():
    if sys.argv[1:] == ["--write"]:
        write_kept(measure())
        return 0
    there, kept = read_kept()
    if there != environment():
        print("1..1\nok 1 - instruction counts # SKIP they are of %s, here is %s" %
              (there, environment()))
        return 0
    return 1 if compare(kept, measure()) else 0


if __name__ == "__main__":
    sys.exit(main())
