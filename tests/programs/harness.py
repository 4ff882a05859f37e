"""What all checks of tests/programs share: run a program bare, under allot, under the oracle, under Valgrind."""

import json
import os
import re
import shutil
import struct
import subprocess
from pathlib import Path

EVENTS = ("allocations", "frees", "reallocations", "allocated_bytes")
SLOTS = 4096


class Failure(Exception):
    """The check does not hold."""


class Skip(Exception):
    """Something that the check needs is not here."""


def expect(condition, message):
    if not condition:
        raise Failure(message)


def need(*commands):
    for command in commands:
        if shutil.which(command) is None:
            raise Skip(f"{command} is not installed")


class Outcome:
    """How a program ended and what it said."""

    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    def difference(self, other):
        for what in ("code", "out", "err"):
            if getattr(self, what) != getattr(other, what):
                return {"code": "exit code", "out": "stdout", "err": "stderr"}[what]
        return None


class Bench:
    """The build under test and a folder to work in."""

    def __init__(self, build, work, thorough):
        self.build, self.thorough = Path(build).resolve(), thorough
        # Inputs and recordings apart: a program may list the folder that it works in, and allocate for what it finds.
        self.work, self.out = Path(work) / "in", Path(work) / "out"
        for folder in (self.work, self.out):
            folder.mkdir()
        self.allot = str(self.build / "bin/allot")
        self.tests = self.build / "tests"
        if not os.access(self.allot, os.X_OK):
            raise SystemExit(f"tests/programs: {self.allot} is missing: build it first")

    def environment(self, extra=None):
        """The same for every run of a program: nothing of the caller's but where programs are."""
        fixed = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME": str(self.work),
                 "LC_ALL": "C", "TZ": "UTC", "TERM": "dumb",
                 "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1", "PERL_HASH_SEED": "0"}
        return {**fixed, **(extra or {})}

    def run(self, command, env=None, stdin=None, timeout=600):
        """Runs a command to its end. A negative code is a signal."""
        source = open(stdin, "rb") if stdin else subprocess.DEVNULL
        try:
            done = subprocess.run([str(part) for part in command], env=env or self.environment(),
                                  stdin=source, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=self.work,
                                  timeout=timeout)
        except subprocess.TimeoutExpired:
            raise Failure(f"did not end within {timeout} s: {command[0]} …") from None
        finally:
            if stdin:
                source.close()
        return Outcome(done.returncode, done.stdout, done.stderr)

    # ---- under allot

    def recording(self, name):
        return self.out / f"{name}.allot"

    def observe(self, name, command, env=None, stdin=None, mode="--full"):
        file = self.recording(name)
        file.unlink(missing_ok=True)
        done = self.run([self.allot, "run", mode, "--quiet", "-o", file, "--", *command], env, stdin)
        expect(file.exists(), f"{file.name} was not written; allot said: {text(done.err)}")
        return done

    def report(self, file):
        done = self.run([self.allot, "report", file, "--format", "json"])
        expect(done.code == 0, f"allot report failed with {done.code}: {text(done.err)}")
        found = json.loads(done.out)
        expect((found["format"], found["version"]) == ("allot-report", 1), "this is no report of version 1")
        return found

    # ---- the independent oracle

    def recorder_environment(self, name):
        """What the recorder adds to a program's environment: asked of a program that prints it."""
        probe = self.observe(name, ["/usr/bin/env"])
        added = dict(line.split("=", 1) for line in text(probe.out).splitlines())
        for key in self.environment():
            added.pop(key, None)
        expect(set(added) == {"LD_PRELOAD", "ALLOT_SEGMENT"}, f"the recorder adds {sorted(added)}")
        return added

    def oracle(self, name, command, env=None, stdin=None, shift=0):
        """The counts of every process image, in an environment as long as the recorder's. With `shift` (bytes) the
        program's memory lies elsewhere: what counts otherwise then depends on its addresses."""
        added = self.recorder_environment(name)
        library = str(self.build / "lib/count/libcount_preload.so")
        folder = os.path.dirname(added["ALLOT_SEGMENT"]) + "/"
        file = folder + "c" * (len(added["ALLOT_SEGMENT"]) - len(folder))
        expect(len(library) == len(added["LD_PRELOAD"]), f"{library} is not as long as {added['LD_PRELOAD']}")
        under = {**(env or self.environment()), "LD_PRELOAD": library, "COUNT_SEGMENT": file}
        return self.counted(file, shift, lambda: self.run(command, under, stdin))

    def observe_beside_oracle(self, name, command, env=None, stdin=None):
        """Observes a run in which the oracle stands behind the recorder; answers both counts of it, without those of
        the shell that sets it up."""
        file = str(self.out / f"{name}.counts")
        library = self.build / "lib/count/libcount_preload.so"
        shell = ["sh", "-c", f'COUNT_SEGMENT={file} LD_PRELOAD="$LD_PRELOAD:{library}" exec "$@"', "sh", *command]
        images = self.counted(file, 0, lambda: self.observe(name, shell, env, stdin))
        report = self.report(self.recording(name))
        expect(report["processes"][0]["exit"] == {"exec": True}, "the shell did not become the program")
        self.check_sums(report)
        report["processes"] = report["processes"][1:]
        return images, report

    @staticmethod
    def counted(file, shift, run):
        """What the oracle counted in its file, image by image, while `run` ran."""
        with open(file, "wb") as empty:
            empty.truncate(4096 + 64 * SLOTS + shift)
        run()
        data = Path(file).read_bytes()
        os.unlink(file)
        taken = struct.unpack_from("<Q", data)[0]
        expect(taken <= SLOTS, "the oracle has too few slots")
        images = []
        for slot in range(taken):
            images.append(struct.unpack_from("<5Q", data, 4096 + 64 * slot)[1:])
        return sorted(image for image in images if any(image))

    @staticmethod
    def counts(report):
        """The same of a report's processes: one tuple for each entry that counted anything."""
        observed = [row["totals"] for row in report["processes"] if row["observed"]]
        images = [tuple(totals[word] for word in EVENTS) for totals in observed]
        return sorted(image for image in images if any(image))

    @staticmethod
    def check_sums(report):
        """The processes add up to the totals."""
        for word in EVENTS:
            found = sum(row["totals"][word] for row in report["processes"] if row["observed"])
            expect(found == report["totals"][word], f"{word}: {found} in the processes, {report['totals'][word]} in all")

    # ---- Valgrind

    def valgrind(self, command, env=None, stdin=None):
        need("valgrind")
        quiet = ["--run-libc-freeres=no", "--run-cxx-freeres=no", "--leak-check=no"]
        done = self.run(["valgrind", *quiet, *command], env, stdin)
        found = re.search(rb"total heap usage: ([\d,]+) allocs, ([\d,]+) frees, ([\d,]+) bytes", done.err)
        expect(found, f"valgrind gave no numbers: {text(done.err)[-300:]}")
        return [int(group.replace(b",", b"")) for group in found.groups()]


def text(octets):
    return octets.decode("utf-8", "replace").strip()
