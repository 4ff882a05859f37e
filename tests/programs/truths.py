"""Random programs of many threads that know their own numbers (truth.cpp): the report says exactly the same."""

import json
import random

from harness import expect, text

ROWS = ("allocations", "allocated_bytes", "live_blocks_at_exit", "live_bytes_at_exit", "temporary_allocations")


def compare(bench, seed):
    done = bench.observe("truth", [bench.tests / "truth", seed])
    expect(done.code == 0, f"seed {seed}: exit code {done.code}: {text(done.err)}")
    truth, report = json.loads(done.out), bench.report(bench.recording("truth"))
    totals, contexts = report["totals"], report["contexts"]
    own = [row for row in contexts if any("churn_" in (frame.get("function") or "") for frame in row["frames"])]

    def equal(what, found, wanted):
        expect(found == wanted, f"seed {seed}: {what}: {found}, in truth {wanted} ({found - wanted:+d})")

    expect(not any(report["dropped"].values()), f"seed {seed}: dropped {report['dropped']}")
    for word in ROWS:
        equal(word, sum(row[word] for row in own), truth[word])
        equal(f"{word} of all contexts against the totals", sum(row[word] for row in contexts), totals[word])
    # The peak is the whole process's; the program's own share at that moment is what it knows.
    peak = totals["peak_live_bytes"]
    equal("live bytes at the peak", sum(row["live_bytes_at_peak"] for row in own), truth["peak_live_bytes"])
    equal("the contexts' shares of the peak", sum(row["live_bytes_at_peak"] for row in contexts), peak)
    equal("the sites' shares of the peak", sum(row["live_bytes_at_peak"] for row in report["sites"]), peak)
    equal("reallocations", totals["reallocations"], truth["reallocations"])
    equal("allocations - frees", totals["allocations"] - totals["frees"], totals["live_blocks_at_exit"])
    return truth


def counted(bench, seed):
    """Count mode: the same totals of events. Its live bytes are usable ones, which the program does not know."""
    done = bench.observe("truth", [bench.tests / "truth", seed], mode="--count")
    truth, report = json.loads(done.out), bench.report(bench.recording("truth"))
    totals = report["totals"]
    basis = (report["mode"], report["live_basis"])
    expect(basis == ("count", "usable"), f"seed {seed}: {basis}")
    found = totals["reallocations"]
    expect(found == truth["reallocations"], f"seed {seed}: {found} reallocations")
    other = totals["allocations"] - truth["allocations"]
    expect(0 <= other < 200, f"seed {seed}: {other} allocations beside the program's own")
    peak, wanted, bound = totals["peak_live_bytes"], truth["peak_live_bytes"], report["error_bound_bytes"]
    expect(wanted - bound <= peak <= wanted * 1.2 + bound + 10**6, f"seed {seed}: peak {peak}, in truth {wanted}")


def truth(bench):
    first = random.SystemRandom().randrange(1 << 40)
    count, allocations = (60 if bench.thorough else 6), 0
    for seed in range(first, first + count):
        allocations += compare(bench, seed)["allocations"]
    counted(bench, first)
    return f"seeds {first} … {first + count - 1}: {allocations:,} allocations of 5 threads, all exact"


CHECKS = {"truth": truth}
