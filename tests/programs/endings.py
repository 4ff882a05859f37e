"""How it ends: kill -9 of the target and of allot, a full disk, ^C, forwarded signals, death by signal."""

import ctypes
import os
import signal
import struct
import subprocess
import tempfile
import time
from pathlib import Path

from harness import Failure, Skip, expect, text

THREADS = 3
PR_SET_CHILD_SUBREAPER = 36


def hear_all_signals():
    """A shell's background job ignores ^C, one under nohup SIGHUP, and everything that it starts inherits that."""
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def wait_until(condition, what, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        expect(time.monotonic() < end, f"waited {seconds} s for {what}")
        time.sleep(0.01)


class Victim:
    """`allot run -- victim`, and the victim's own count in its mapped file."""

    started = []  # all of them, for clear_away()

    def __init__(self, bench, name, rounds=0, code=None):
        self.file, self.own = bench.recording(name), bench.out / f"{name}.own"
        self.file.unlink(missing_ok=True)
        self.own.write_bytes(bytes(65 * 64))
        command = [bench.allot, "run", "--full", "--quiet", "-o", self.file, "--",
                   bench.tests / "victim", self.own, THREADS, rounds] + ([] if code is None else [code])
        self.allot = subprocess.Popen([str(part) for part in command], env=bench.environment(), cwd=bench.work,
                                      stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                      stderr=subprocess.PIPE, start_new_session=True, preexec_fn=hear_all_signals)
        Victim.started.append(self)
        wait_until(lambda: self.word(0) >= 1, "the victim to start")

    def word(self, index):
        with open(self.own, "rb") as own:
            data = own.read(65 * 64)
        return struct.unpack_from("<Q", data, index * 8)[0] if len(data) == 65 * 64 else 0

    def pid(self):
        return self.word(1)

    def allocations(self):
        return sum(self.word(8 * (thread + 1)) for thread in range(THREADS))

    def at_work(self, allocations=20_000):
        wait_until(lambda: self.allocations() > allocations, "the victim to work")
        return self

    def end(self, seconds=60):
        try:
            _, err = self.allot.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            raise Failure(f"allot did not end within {seconds} s") from None
        return self.allot.returncode, text(err)


def clear_away():
    """Ends what a check that failed has left running."""
    for victim in Victim.started:
        if victim.allot.poll() is None:
            victim.allot.kill()
            victim.allot.wait()
        try:
            if victim.pid() and os.readlink(f"/proc/{victim.pid()}/exe").endswith("/victim"):
                os.kill(victim.pid(), signal.SIGKILL)
        except OSError:
            pass  # it has ended
    Victim.started.clear()


def churned(report, function="churn_victim"):
    """The allocations that came out of the program's own functions."""
    return sum(row["allocations"] for row in report["contexts"]
               if any(function in (frame.get("function") or "") for frame in row["frames"]))


def c_library_allocations(bench):
    """What the victim's process allocates beside its own loop: constant, learned from a run that ends by itself."""
    victim = Victim(bench, "calm", rounds=1000)
    code, err = victim.end()
    expect(code == 0, f"exit code {code}: {err}")
    report = bench.report(victim.file)
    expect(victim.allocations() == THREADS * 1000, "the victim did not do its rounds")
    seen = churned(report)
    expect(seen == THREADS * 1000, f"{seen} of {THREADS * 1000} allocations have their stack")
    return report["totals"]["allocations"] - THREADS * 1000


def kill_target(bench):
    other = c_library_allocations(bench)
    victim = Victim(bench, "killed").at_work()
    os.kill(victim.pid(), signal.SIGKILL)
    code, err = victim.end()
    expect(code == -signal.SIGKILL, f"allot ended with {code} instead of the victim's signal: {err}")
    report = bench.report(victim.file)
    truth, totals = victim.allocations(), report["totals"]["allocations"] - other
    expect(abs(totals - truth) <= THREADS, f"{totals} allocations counted, the victim says {truth}")
    off = abs(churned(report) + report["dropped"]["stacks"] + report["dropped"]["events"] - truth)
    expect(off <= 2 * THREADS + report["dropped"]["events"], f"the contexts' allocations are {off} off")
    expect(report["processes"][0]["exit"] == {"signal": 9}, f"exit {report['processes'][0]['exit']}")
    return f"{truth:,} allocations of {THREADS} threads, {totals - truth:+d}"


def kill_parent(bench):
    other = c_library_allocations(bench)
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)  # so that the orphan's exit code can be had
    try:
        # Far enough that no ring holds it all: the collector has taken something in.
        victim = Victim(bench, "orphan", rounds=1_000_000 if bench.thorough else 300_000).at_work(250_000)
        pid = victim.pid()
        os.kill(victim.allot.pid, signal.SIGKILL)
        killed = time.monotonic()
        victim.allot.wait()
        wait_until(lambda: victim.word(0) == 2, "the orphan to go on to its end", 120)
        took = time.monotonic() - killed
        expect(os.waitpid(pid, 0)[1] == 0, "the orphan did not end well")
    finally:
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
    partial = sorted(bench.out.glob("orphan*.partial"))
    left = [path.name for path in bench.out.glob("orphan*")]
    expect(len(partial) == 1, f"what is left: {left}")
    report = bench.report(partial[0])
    truth, totals = victim.allocations(), report["totals"]["allocations"] - other
    expect(abs(totals - truth) <= THREADS, f"{totals} allocations recovered, the victim says {truth}")
    seen = churned(report)
    expect(0 < seen <= truth + THREADS, f"{seen} allocations have a stack, of {truth}")
    partial[0].unlink()
    return (f"the orphan ran on for {took:.1f} s; {truth:,} allocations, {totals - truth:+d} recovered, "
            f"{seen:,} with their stack")


def interrupt(bench):
    said = []
    for code, expected in ((7, 7), (None, -signal.SIGINT)):
        victim = Victim(bench, "interrupted", code=code).at_work()
        os.killpg(victim.allot.pid, signal.SIGINT)
        ended, err = victim.end()
        expect(ended == expected, f"allot ended with {ended} instead of {expected}: {err}")
        counted = bench.report(victim.file)["totals"]["allocations"]
        expect(counted >= victim.allocations(), "counts are missing")
        said.append(str(ended))
    return f"^C of the process group: ends with {' and '.join(said)}, the recording is written"


def terminate(bench):
    for sent in (signal.SIGTERM, signal.SIGHUP):
        victim = Victim(bench, "terminated").at_work()
        os.kill(victim.allot.pid, sent)
        ended, err = victim.end()
        expect(ended == -sent, f"allot ended with {ended} instead of {-sent}: {err}")
        told = bench.report(victim.file)["processes"][0]["exit"]
        expect(told == {"signal": int(sent)}, f"the exit is told as {told}")
    victim = Victim(bench, "terminated", code=9).at_work()
    os.kill(victim.allot.pid, signal.SIGTERM)
    ended, err = victim.end()
    expect(ended == 9, f"allot ended with {ended} instead of the handler's 9: {err}")
    return "SIGTERM and SIGHUP to allot alone reach the target; allot ends as it does"


def death_by_signal(bench):
    for number in (signal.SIGSEGV, signal.SIGABRT, signal.SIGUSR1):
        command = ["/bin/sh", "-c", f"ulimit -c 0; kill -{int(number)} $$"]
        done = bench.observe("died", command)
        expect(done.code == -number, f"ended with {done.code} instead of {-number}")
        report = bench.report(bench.recording("died"))
        told = report["processes"][0]["exit"]
        expect(told == {"signal": int(number)}, f"the exit is told as {told}")
    done = bench.observe("died", ["/bin/sh", "-c", "exit 42"])
    expect(done.code == 42, f"exit code {done.code} instead of 42")
    return "SEGV, ABRT, USR1 and exit code 42 are passed on"


class small_disk:
    """A tmpfs of its own, for root only."""

    def __init__(self, mebibytes):
        self.mebibytes = mebibytes

    def __enter__(self):
        if os.geteuid() != 0:
            raise Skip("only root can mount a small tmpfs")
        self.place = tempfile.mkdtemp(prefix="allot-disk-")
        command = ["mount", "-t", "tmpfs", "-o", f"size={self.mebibytes}m", "tmpfs", self.place]
        done = subprocess.run(command, capture_output=True)
        if done.returncode != 0:
            os.rmdir(self.place)
            raise Skip(f"no tmpfs can be mounted here: {text(done.stderr)}")
        return Path(self.place)

    def __exit__(self, *_):
        subprocess.run(["umount", "-l", self.place], check=False)
        os.rmdir(self.place)


def full_disk(bench):
    greeting = ["/bin/sh", "-c", "echo hello; exit 5"]
    with small_disk(1) as place:  # no room at the start
        done = bench.run([bench.allot, "run", "-o", place / "f.allot", "--", *greeting])
        expect((done.code, done.out) == (5, b"hello\n"), f"the program was harmed: {done.code}, {text(done.err)}")
        message = text(done.err)
        expect("No space left on device" in message, f"no clear message: {message}")
        expect(all(line.startswith("allot: ") for line in message.splitlines()), f"not ours: {message}")
    with small_disk(128) as place:  # room at the start, none at the end
        fill = f"dd if=/dev/zero of={place}/fill bs=64k 2>/dev/null; echo hello; exit 5"
        done = bench.run([bench.allot, "run", "-o", place / "f.allot", "--", "/bin/sh", "-c", fill])
        expect((done.code, done.out) == (5, b"hello\n"), f"the program was harmed: {done.code}, {text(done.err)}")
        if not (place / "f.allot").exists():
            expect("No space left on device" in text(done.err), f"no clear message: {text(done.err)}")
            (place / "fill").unlink()
            left = sorted(place.glob("f.*partial"))
            expect(left, f"nothing to recover: {[path.name for path in place.iterdir()]}")
            bench.report(left[0])
    return "full at the start and full at the end: a clear message, the program unharmed"


CHECKS = {"kill-target": kill_target, "kill-parent": kill_parent, "interrupt": interrupt,
          "terminate": terminate, "death-by-signal": death_by_signal, "full-disk": full_disk}
