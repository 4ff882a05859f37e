#!/usr/bin/env python3
"""Runs the benchmarks and prints one row per comparison. See bench/README.md; scripts/bench builds and calls this."""
import argparse
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
NAME = re.compile(r"^(?P<component>[^/]+)/(?P<workload>.+)/threads:(?P<threads>\d+)/(?P<peer>[^/]+)(/.*)?$")
NANOSECONDS = {"ns": 1.0, "us": 1e3, "ms": 1e6, "s": 1e9}
# Two threads say something only where a plain compute loop scales: its time with two threads over its time with one.
SCALING_MAX = 1.1
CHECKED = ", checks on"  # a component's rows at check level on; those without are at level off, where there is such a build
COLUMNS = ("component", "workload", "threads", "ours ns", "peer", "its ns", "ratio", "target", "instructions")


def key_of(row):
    return row["component"], row["workload"], row["threads"], row["peer"]


def row_name(component, workload, threads, peer):
    return f"{component}/{workload}/threads:{threads}/{peer}"


def parse_name(name):
    match = NAME.match(name)
    if not match:
        return None
    return match["component"], match["workload"], int(match["threads"]), match["peer"]


class Failure(Exception):
    pass


def output_of(command, **more):
    process = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, text=True, check=False,
                             env={**os.environ, **more}, stdin=subprocess.DEVNULL)
    if process.returncode != 0:
        raise Failure(f"{command[0]} ended with {process.returncode}")
    return process.stdout


def wanted(keys, pattern):
    """The rows that match, and what they are compared with: ours of the same workload."""
    chosen = {key for key in keys if key[3] != "allot" and pattern.search(row_name(*key))}
    return chosen | {(*key[:3], "allot") for key in chosen if (*key[:3], "allot") in keys}


def quoted(name):
    """The name as a regular expression of any dialect."""
    return re.sub(r"([^A-Za-z0-9_/ :,^\\])", r"[\1]", name)


def run_google(program, pattern, repetitions):
    names = {name: parse_name(name) for name in output_of([program, "--benchmark_list_tests"]).splitlines() if name}
    for name, key in names.items():
        if key is None:
            raise Failure(f"{program.name}: '{name}' is not component/workload/threads:N/peer")
    chosen = wanted(set(names.values()), pattern)
    filters = "|".join(f"^{quoted(name)}$" for name, key in names.items() if key in chosen)
    if not filters:
        return []
    print(f"running {program.name} ({len(chosen)} measurements)", file=sys.stderr, flush=True)
    with tempfile.NamedTemporaryFile(suffix=".json") as out:
        output_of([program, f"--benchmark_filter={filters}", "--benchmark_enable_random_interleaving=true",
                   f"--benchmark_repetitions={repetitions}", "--benchmark_report_aggregates_only=true",
                   f"--benchmark_out={out.name}", "--benchmark_out_format=json"])
        document = json.load(open(out.name))
    measured = {}
    for run in document["benchmarks"]:
        if run.get("error_occurred"):
            raise Failure(f"{run['name']}: {run.get('error_message', 'failed')}")
        if run.get("aggregate_name") == "median":
            measured[parse_name(run["run_name"])] = (run["real_time"] * NANOSECONDS[run["time_unit"]],
                                                     run.get("instructions"), run.get("scaling"))
    rows = []
    for key in sorted(measured):
        ours = measured.get((*key[:3], "allot"))
        if key[3] != "allot" and ours:
            rows.append({"component": key[0], "workload": key[1], "threads": key[2], "peer": key[3],
                         "ours_ns": ours[0], "peer_ns": measured[key][0], "instructions": ours[1],
                         "scaling": max((each for each in (ours[2], measured[key][2]) if each), default=None)})
    return rows


def run_script(script, pattern, build):
    names = [name for name in output_of([script, "--list"], ALLOT_BUILD=str(build)).splitlines() if name]
    chosen = [name for name in names if pattern.search(name)]
    if not chosen:
        return []
    print(f"running {script.relative_to(ROOT)} ({len(chosen)} rows)", file=sys.stderr, flush=True)
    rows = []
    for line in output_of([script, *chosen], ALLOT_BUILD=str(build)).splitlines():
        if line.strip():
            row = json.loads(line)
            rows.append({"instructions": None, **row})
    return rows


def with_targets(rows, targets):
    """Adds ratio and target to each row, and the rows whose peer is the best of several."""
    for target in targets:
        if target["peer"] != "best":
            continue
        same = [row for row in rows if key_of(row)[:3] == key_of(target)[:3] and row["peer"] in target["peers"]]
        if same:
            best = min(same, key=lambda row: row["peer_ns"])
            rows.append({**best, "peer": "best", "best": best["peer"]})
    limits = {key_of(target): target["target"] for target in targets}
    for row in rows:
        scaled = (row.get("scaling") or 0) <= SCALING_MAX
        row["ratio"] = row["ours_ns"] / row["peer_ns"] if row["peer_ns"] and scaled else None
        row["target"] = limits.get(key_of(row))
    return sorted(rows, key=lambda row: (*key_of(row)[:3], row["peer"] == "best", row["peer"]))


def print_table(rows):
    def number(value, digits):
        return "" if value is None else f"{value:,.{digits}f}"

    lines = [COLUMNS]
    for row in rows:
        missed = row["target"] is not None and row["ratio"] is not None and row["ratio"] > row["target"]
        ratio = number(row["ratio"], 3)
        if row["ratio"] is None and row.get("scaling"):
            ratio = f"n/a (scaling probe {row['scaling']:.1f})"
        peer = f"best ({row['best']})" if "best" in row else row["peer"]
        lines.append((row["component"], row["workload"], str(row["threads"]), number(row["ours_ns"], 1), peer,
                      number(row["peer_ns"], 1), ratio,
                      number(row["target"], 2) + (" missed" if missed else ""), number(row["instructions"], 0)))
    widths = [max(len(line[i]) for line in lines) for i in range(len(COLUMNS))]
    right = {3, 5, 6, 8}
    for line in lines:
        cells = [cell.rjust(width) if i in right else cell.ljust(width)
                 for i, (cell, width) in enumerate(zip(line, widths))]
        print("  ".join(cells).rstrip())


def programs_in(build):
    return sorted(p for p in (build / "bench").glob("*_bench") if p.is_file() and os.access(p, os.X_OK))


def run_checked(program, pattern, repetitions):
    return [{**row, "component": row["component"] + CHECKED} for row in run_google(program, pattern, repetitions)]


def plan(build, build_off):
    """(how, program): what depends on the check level runs twice, at off and at on, right after each other."""
    off = {program.name: program for program in programs_in(build_off)}
    for program in programs_in(build):
        if program.name in off:
            yield run_google, off[program.name]
            yield run_checked, program
        else:
            yield run_google, program


def find_scripts():
    return sorted(p for p in (ROOT / "bench").glob("*/bench") if p.is_file() and os.access(p, os.X_OK))


def main():
    parser = argparse.ArgumentParser(prog="scripts/bench", description="ours against the peers, as ratios of one run")
    parser.add_argument("filter", nargs="*", help="regular expressions over component/workload/threads:N/peer; any may match")
    parser.add_argument("--json", metavar="FILE", help="also write the rows as JSON")
    parser.add_argument("--repetitions", type=int, default=7, help="of each Google Benchmark (default 7)")
    parser.add_argument("--build", default=ROOT / "build/bench", type=pathlib.Path, help=argparse.SUPPRESS)
    parser.add_argument("--build-off", default=ROOT / "build/bench-off", type=pathlib.Path, help=argparse.SUPPRESS)
    parser.add_argument("--targets", default=ROOT / "bench/targets.json", type=pathlib.Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    pattern = re.compile("|".join(options.filter))
    targets = json.loads(options.targets.read_text())

    rows, failures = [], []
    for run, path, more in ([(how, p, options.repetitions) for how, p in plan(options.build, options.build_off)] +
                            [(run_script, s, options.build) for s in find_scripts()]):
        try:
            rows += run(path, pattern, more)
        except (Failure, OSError, ValueError, KeyError) as failure:
            failures.append(f"{path.relative_to(ROOT) if run is run_script else path.name}: {failure!r}")

    rows = with_targets(rows, targets)
    print_table(rows)
    measured = {key_of(row) for row in rows}
    for target in targets:
        if key_of(target) not in measured and pattern.search(row_name(*key_of(target))):
            print(f"not measured: {row_name(*key_of(target))}", file=sys.stderr)
    for failure in failures:
        print(f"failed: {failure}", file=sys.stderr)
    if options.json:
        keys = ("component", "workload", "threads", "peer", "ours_ns", "peer_ns", "ratio", "target", "instructions")
        text = json.dumps([{key: row.get(key) for key in keys} for row in rows], indent=1)
        pathlib.Path(options.json).write_text(text + "\n")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
