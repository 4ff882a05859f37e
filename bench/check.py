#!/usr/bin/env python3
"""scripts/bench --check: measures the rows of bench/limits.json and fails where one is beyond its limit.

Instructions are counted by callgrind, in the benchmark's loop alone: they hardly vary, so their limits are close.
Ratios to a peer come from few repetitions on a machine that others use, too: their limits are generous, and a ratio
beyond its limit is measured once more with more repetitions before it counts.
"""
import argparse
import json
import math
import pathlib
import re
import subprocess
import sys
import tempfile

import run

SPARE = 1.05  # what --renew leaves between instructions counted and their limit
ENOUGH = 200_000  # instructions in a loop, so that its first iteration does not show
LOOSE = 0.8   # a limit that is so far above what was counted would let a regression pass


def counted(name, folder):
    """Instructions in the loop of the benchmark's last, longest run: what callgrind dumped last before its end."""
    dumps = [path for path in folder.glob("counts.*") if "--dump-before" in path.read_text(errors="replace")[:2000]]
    if not dumps:
        raise run.Failure(f"{name}: callgrind saw no loop")
    last = max(dumps, key=lambda path: int(path.suffix[1:]))
    return int(re.search(r"^summary: (\d+)", last.read_text(), re.M)[1])


def count(program, name, seconds):
    """Instructions in the loop, setting up left out, and how many iterations it had."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        process = subprocess.run(
            ["valgrind", "--quiet", "--tool=callgrind", f"--callgrind-out-file={folder / 'counts'}",
             "--zero-before=benchmark::State::StartKeepRunning()", "--dump-before=benchmark::State::FinishKeepRunning()",
             str(program), f"--benchmark_filter=^{run.quoted(name)}$", f"--benchmark_min_time={seconds}",
             f"--benchmark_out={folder / 'out.json'}", "--benchmark_out_format=json"],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, stdin=subprocess.DEVNULL)
        if process.returncode != 0:
            raise run.Failure(f"{name}: under callgrind it ended with {process.returncode}\n{process.stdout}")
        [measured] = json.loads((folder / "out.json").read_text())["benchmarks"]
        return counted(name, folder), measured["iterations"]


def instructions(program, name, count_once=count):
    """Of one iteration."""
    for seconds in 0.01, 0.1, 1:
        total, iterations = count_once(program, name, seconds)
        # Whoever loses the processor in the first iteration has used up the time with it, and it is the dearest.
        if total >= ENOUGH:
            break
    return total / iterations


def ratio(program, key, repetitions):
    pattern = re.compile(f"^{re.escape(run.row_name(*key))}$")
    [row] = run.run_google(program, pattern, repetitions)
    return row["ours_ns"] / row["peer_ns"]


def names_of(programs):
    """(component, workload, threads, peer) → (program, the benchmark's full name)."""
    return {run.parse_name(name): (program, name) for program in programs
            for name in run.output_of([program, "--benchmark_list_tests"]).splitlines() if run.parse_name(name)}


class Checker:
    def __init__(self, programs, measure_instructions=instructions, measure_ratio=ratio):
        self.names = names_of(programs)
        self.measure_instructions, self.measure_ratio = measure_instructions, measure_ratio
        self.beyond = self.loose = 0

    def find(self, key):
        if key not in self.names:
            raise run.Failure(f"{run.row_name(*key)} has a limit and is not measured any more")
        return self.names[key]

    def say(self, key, what, measured, limit):
        verdict = "ok"
        if measured > limit:
            verdict = f"beyond its limit by {(measured / limit - 1) * 100:.1f} %"
            self.beyond += 1
        elif what == "instructions" and measured < limit * LOOSE:
            verdict = "ok; the limit has become loose (--renew)"
            self.loose += 1
        print(f"{run.row_name(*key):<60} {what:<12} {measured:>12,.2f}  limit {limit:>12,.2f}  {verdict}", flush=True)

    def check(self, row):
        """Measures one row; returns it with what was counted."""
        key = (row["component"], row["workload"], row["threads"], row.get("peer", "allot"))
        try:
            if "instructions_max" in row:
                found = self.measure_instructions(*self.find(key))
                self.say(key, "instructions", found, row["instructions_max"])
                return {**row, "instructions_max": math.ceil(found * SPARE * 10) / 10}
            found = self.measure_ratio(self.find(key)[0], key, 3)
            if found > row["ratio_max"]:
                found = self.measure_ratio(self.find(key)[0], key, 9)
            self.say(key, "ratio", found, row["ratio_max"])
        except (run.Failure, OSError, ValueError) as failure:
            self.beyond += 1
            print(f"failed: {failure}", flush=True)
        return row


def write_limits(path, limits):
    rows = ",\n".join("  " + json.dumps(row) for row in limits["rows"])
    path.write_text(f'{{\n "made_with": {json.dumps(limits["made_with"])},\n "rows": [\n{rows}\n ]\n}}\n')


def main():
    parser = argparse.ArgumentParser(prog="scripts/bench --check", description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("filter", nargs="*", help="regular expressions over component/workload/threads:N/peer; any may match")
    parser.add_argument("--renew", action="store_true", help="set the limits on instructions to what is counted now and 5 %%")
    parser.add_argument("--build", default=run.ROOT / "build/bench", type=pathlib.Path, help=argparse.SUPPRESS)
    parser.add_argument("--limits", default=run.ROOT / "bench/limits.json", type=pathlib.Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    pattern = re.compile("|".join(options.filter))
    limits = json.loads(options.limits.read_text())

    checker = Checker(run.programs_in(options.build))
    rows = [checker.check(row) if pattern.search(run.row_name(row["component"], row["workload"], row["threads"],
                                                              row.get("peer", "allot"))) else row
            for row in limits["rows"]]
    if options.renew:
        write_limits(options.limits, {**limits, "rows": rows})
        return 0
    if checker.beyond:
        print(f"{checker.beyond} beyond the limits of {options.limits.name}, which were made with {limits['made_with']}. "
              "Where the cost is meant, --renew; say why in the commit.")
    return 1 if checker.beyond else 0


if __name__ == "__main__":
    sys.exit(main())
