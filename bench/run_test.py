#!/usr/bin/env python3
"""Rows, ratios and the best of several peers, from made-up benchmark programs."""
import contextlib
import io
import json
import pathlib
import re
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import run  # noqa: E402

ALL = re.compile("")


def google_program(folder, times, broken=False, scaling=None):
    """A program that answers like Google Benchmark: lists its names, or writes the medians of those that match."""
    path = pathlib.Path(folder) / "made_up_bench"
    path.write_text(f"""#!/usr/bin/env python3
import json, re, sys
times = {times!r}
if "--benchmark_list_tests" in sys.argv:
    print("\\n".join(times))
    sys.exit()
if {broken}:
    sys.exit(3)
options = dict(word[2:].split("=", 1) for word in sys.argv[1:])
runs = [{{"run_name": name, "name": name + "_median", "aggregate_name": "median", "real_time": ns / 1000,
         "time_unit": "us", "instructions": 7, "scaling": {scaling!r}}} for name, ns in times.items()
        if re.search(options["benchmark_filter"], name)]
json.dump({{"benchmarks": runs}}, open(options["benchmark_out"], "w"))
""")
    path.chmod(0o755)
    return path


class RowsTest(unittest.TestCase):
    times = {"pool/lifo (a+b)/threads:1/allot": 2.0, "pool/lifo (a+b)/threads:1/malloc": 8.0,
             "pool/lifo (a+b)/threads:1/boost::pool": 4.0, "pool/alone/threads:2/allot": 1.0}

    def rows(self, pattern=ALL, **more):
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stderr(io.StringIO()):
            return run.run_google(google_program(folder, self.times, **more), pattern, 1)

    def test_a_peer_stands_against_ours_of_the_same_workload(self):
        rows = {row["peer"]: row for row in self.rows()}
        self.assertEqual(set(rows), {"malloc", "boost::pool"})
        self.assertAlmostEqual(rows["malloc"]["ours_ns"], 2.0)
        self.assertAlmostEqual(rows["malloc"]["peer_ns"], 8.0)
        self.assertEqual(rows["malloc"]["instructions"], 7)

    def test_a_filter_for_one_peer_brings_ours_with_it(self):
        self.assertEqual([row["peer"] for row in self.rows(re.compile("boost"))], ["boost::pool"])

    def test_the_best_of_the_peers_is_the_fastest_that_ran(self):
        target = {"component": "pool", "workload": "lifo (a+b)", "threads": 1, "peer": "best", "target": 0.6,
                  "peers": ["malloc", "boost::pool", "absent"]}
        best = run.with_targets(self.rows(), [target])[-1]
        self.assertEqual((best["peer"], best["best"], best["target"]), ("best", "boost::pool", 0.6))
        self.assertAlmostEqual(best["ratio"], 0.5)

    def test_a_program_that_fails_is_a_failure(self):
        with self.assertRaises(run.Failure):
            self.rows(broken=True)

    def test_two_threads_that_the_machine_does_not_scale_give_no_ratio(self):
        for scaling, ratio in ((1.05, 0.25), (1.6, None)):
            rows = run.with_targets(self.rows(re.compile("malloc"), scaling=scaling), [])
            self.assertEqual([row["ratio"] for row in rows], [ratio])
            with contextlib.redirect_stdout(io.StringIO()) as table:
                run.print_table(rows)
            self.assertEqual("n/a (scaling probe 1.6)" in table.getvalue(), ratio is None)

    def test_what_depends_on_the_check_level_runs_at_off_and_at_on(self):
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stderr(io.StringIO()):
            builds = [pathlib.Path(folder) / name for name in ("on", "off")]
            for build, times in zip(builds, ({"pool/lifo/threads:1/allot": 3.0, "pool/lifo/threads:1/malloc": 8.0},
                                             {"pool/lifo/threads:1/allot": 2.0, "pool/lifo/threads:1/malloc": 8.0})):
                (build / "bench").mkdir(parents=True)
                google_program(build / "bench", times)
            planned = list(run.plan(*builds))
            rows = {row["component"]: row["ours_ns"] for how, path in planned for row in how(path, ALL, 1)}
            self.assertEqual(rows, {"pool": 2.0, "pool, checks on": 3.0})
            self.assertEqual([how for how, _ in run.plan(builds[0], pathlib.Path(folder))], [run.run_google])

    def test_a_name_that_is_no_row_is_a_failure(self):
        self.times = {"just_a_name": 1.0}
        with self.assertRaises(run.Failure):
            self.rows()

    def test_the_targets_file_is_sound(self):
        targets = json.loads((run.ROOT / "bench/targets.json").read_text())
        keys = [run.key_of(target) for target in targets]
        self.assertEqual(len(keys), len(set(keys)), "a row stands twice")
        for target in targets:
            self.assertGreater(target["target"], 0)
            self.assertEqual("peers" in target, target["peer"] == "best")


if __name__ == "__main__":
    unittest.main()
