"""What the tests of the command line share: a folder of its own for each test, and runs of allot in it."""

import json
import os
import re
import signal
import subprocess
import tempfile
import unittest

ALLOT = os.environ["ALLOT"]
PROGRAMS = os.environ["ALLOT_TEST_PROGRAMS"]
SANITIZED = os.environ.get("ALLOT_SANITIZER", "") != ""  # the tool itself is


def program(name):
    return os.path.join(PROGRAMS, name)


class FrontDoor(unittest.TestCase):
    def setUp(self):
        signal.alarm(200)  # a test that waits for ever ends by this
        self.place = tempfile.TemporaryDirectory(prefix="allot_cli.")
        self.folder = self.place.name

    def tearDown(self):
        signal.alarm(0)
        self.place.cleanup()

    def run_plain(self, *words, **options):
        options.setdefault("timeout", 120)
        return subprocess.run(words, cwd=self.folder, capture_output=True, **options)

    def allot(self, *words, **options):
        return self.run_plain(ALLOT, *words, **options)

    def record(self, *words, flags=(), **options):
        """Runs it under --quiet and answers the recording's path."""
        path = os.path.join(self.folder, "recorded.allot")
        done = self.allot("run", "--quiet", "-o", path, *flags, "--", *words, **options)
        self.assertTrue(os.path.exists(path), done.stderr)
        return path

    def report(self, path, *flags):
        done = self.allot("report", "--format", "json", *flags, path)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stderr, b"")
        return json.loads(done.stdout)

    def files(self):
        return sorted(os.listdir(self.folder))

    def assert_says(self, done, pattern):
        self.assertRegex(done.stderr.decode(), pattern)

    def assert_one_line(self, done, pattern, code=2):
        """One line on stderr that begins as ours do, nothing on stdout."""
        self.assertEqual(done.returncode, code, done)
        self.assertEqual(done.stdout, b"")
        text = done.stderr.decode()
        self.assertEqual(text.count("\n"), 1, text)
        self.assertTrue(re.match("allot: " + pattern, text), text)
