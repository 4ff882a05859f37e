#!/usr/bin/env python3
"""The limits go red: made-up benchmarks beyond, within and far below their limits, and one that is gone."""
import contextlib
import io
import json
import pathlib
import sys
import tempfile
import unittest
from unittest import mock

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import check  # noqa: E402
import run  # noqa: E402
from run_test import google_program  # noqa: E402

TIMES = {"pool/lifo/threads:1/allot": 2.0, "pool/lifo/threads:1/malloc": 8.0}


class CheckTest(unittest.TestCase):
    def check(self, row, counted=10.0, ratios=(0.25,)):
        """(rows beyond, what was said, the row renewed)"""
        answers = iter(ratios)
        said = io.StringIO()
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(said):
            checker = check.Checker([google_program(folder, TIMES)], lambda program, name: counted,
                                    lambda program, key, repetitions: next(answers))
            renewed = checker.check({"component": "pool", "workload": "lifo", "threads": 1, **row})
        return checker.beyond, said.getvalue(), renewed

    def test_a_count_within_its_limit_passes(self):
        beyond, said, _ = self.check({"instructions_max": 10.5})
        self.assertEqual(beyond, 0)
        self.assertIn("pool/lifo/threads:1/allot", said)

    def test_a_count_beyond_its_limit_fails(self):
        beyond, said, _ = self.check({"instructions_max": 9.9})
        self.assertEqual(beyond, 1)
        self.assertIn("beyond its limit by 1.0 %", said)

    def test_a_limit_far_above_the_count_is_called_loose(self):
        beyond, said, _ = self.check({"instructions_max": 20})
        self.assertEqual(beyond, 0)
        self.assertIn("loose", said)

    def test_renewing_leaves_five_percent(self):
        self.assertEqual(self.check({"instructions_max": 1}, counted=100.0)[2]["instructions_max"], 105.0)

    def test_a_ratio_beyond_its_limit_is_measured_again(self):
        self.assertEqual(self.check({"peer": "malloc", "ratio_max": 0.5}, ratios=(0.7, 0.4))[0], 0)
        self.assertEqual(self.check({"peer": "malloc", "ratio_max": 0.5}, ratios=(0.7, 0.6))[0], 1)

    def test_a_row_that_is_gone_fails(self):
        beyond, said, _ = self.check({"workload": "gone", "instructions_max": 10})
        self.assertEqual(beyond, 1)
        self.assertIn("pool/gone/threads:1/allot has a limit and is not measured any more", said)

    def test_a_program_that_breaks_under_callgrind_fails(self):
        with mock.patch.dict("os.environ", {"PATH": ""}), self.assertRaises(OSError):
            check.instructions("/nowhere", "pool/lifo/threads:1/allot")

    def test_a_loop_that_was_interrupted_at_once_is_counted_again(self):
        runs = iter([(10_788, 1), (450_000, 10_000)])
        self.assertEqual(check.instructions("program", "name", lambda *_: next(runs)), 45)
        self.assertEqual(check.instructions("program", "name", lambda *_: (7, 1)), 7)

    def test_limits_survive_writing(self):
        limits = json.loads((run.ROOT / "bench/limits.json").read_text())
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "limits.json"
            check.write_limits(path, limits)
            self.assertEqual(json.loads(path.read_text()), limits)

    def test_the_limits_file_is_sound(self):
        rows = json.loads((run.ROOT / "bench/limits.json").read_text())["rows"]
        self.assertGreater(len(rows), 0)
        names = [(run.row_name(row["component"], row["workload"], row["threads"], row.get("peer", "allot"))) for row in rows]
        self.assertEqual(len(names), len(set(names)), "a row stands twice")
        for row in rows:
            self.assertEqual("ratio_max" in row, "peer" in row, row)
            self.assertNotEqual("ratio_max" in row, "instructions_max" in row, row)
            if "instructions_max" in row:
                self.assertEqual(row["threads"], 1, "callgrind runs one thread at a time")


if __name__ == "__main__":
    unittest.main()
