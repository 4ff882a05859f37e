"""Programs that the preload library can't observe are said so before they start and in the recording; they run on
undisturbed."""

import os
import shutil
import signal
import subprocess
import unittest

from front_door import ALLOT, FrontDoor, program


class Unobserved(FrontDoor):
    def check(self, words, reason, **options):
        path = os.path.join(self.folder, "x.allot")
        bare = self.run_plain(*words, **options)
        done = self.allot("run", "-o", path, *words, **options)
        self.assertEqual((done.returncode, done.stdout), (bare.returncode, bare.stdout))
        lines = done.stderr.decode().splitlines()
        self.assertRegex(lines[0], f"^allot: .* is {reason}.*: its allocations are not observed$")
        self.assertTrue(any(line.startswith("allot: not observed: ") for line in lines), lines)
        self.assertTrue(all(line.startswith("allot: ") for line in lines), lines)
        process = self.report(path)["processes"][0]
        self.assertFalse(process["observed"])
        self.assertRegex(process["reason"], reason)
        self.assertEqual(process["exit"], {"code": bare.returncode})
        os.remove(path)
        quiet = self.allot("run", "-q", "-o", path, *words, **options)
        self.assertEqual((quiet.returncode, quiet.stdout, quiet.stderr), (bare.returncode, bare.stdout, bare.stderr))

    def test_a_static_program(self):
        self.check([program("still")], "statically linked")

    def test_a_script_of_a_static_interpreter(self):
        path = os.path.join(self.folder, "script")
        with open(path, "w") as file:
            file.write(f"#!{program('still')}\n")
        os.chmod(path, 0o755)
        self.check([path], "statically linked")

    @unittest.skipUnless(os.path.exists(program("sanitized")), "this compiler has no AddressSanitizer")
    def test_a_sanitized_program_runs_without_the_preload(self):
        options = dict(os.environ, ASAN_OPTIONS="detect_leaks=0")
        self.check([program("sanitized")], "built with AddressSanitizer", env=options)

    @unittest.skipUnless(os.getuid() == 0, "needs root, to give a file away")
    def test_a_set_user_id_program(self):
        path = os.path.join(self.folder, "raised")
        shutil.copy(program("empty"), path)
        os.chmod(self.folder, 0o755)
        os.chown(path, 65534, 65534)
        os.chmod(path, 0o4755)
        self.check([path], "set-user-ID")

    def test_a_go_program_by_its_build_id(self):
        path = os.path.join(self.folder, "gopher")
        shutil.copy(program("empty"), path)
        with open(os.path.join(self.folder, "id"), "w") as file:
            file.write("id")
        done = self.run_plain("objcopy", "--add-section", ".note.go.buildid=id", path)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.check([path], "a Go program")

    def test_a_program_that_becomes_a_static_one(self):
        # It must live for the collector's next look at the processes, and the time a program has to attach: a
        # pipe's writer keeps it.
        path = os.path.join(self.folder, "x.allot")
        script = f"sleep 3 | {ALLOT} run -o {path} sh -c 'exec {program('still')} wait'"
        done = self.run_plain("bash", "-c", script)
        self.assertEqual(done.returncode, 0)
        self.assert_says(done, "not observed: still .statically linked")
        rows = self.report(path)["processes"]
        self.assertEqual([row["observed"] for row in rows], [True, False], rows)

    def test_without_room_for_the_recording_the_program_still_runs(self):
        folder = os.path.join(self.folder, "locked")
        os.mkdir(folder)
        limited = f"ulimit -f 100; cd {folder}; {ALLOT} run sh -c 'echo out; exit 6'"
        done = self.run_plain("bash", "-c", f"trap '' XFSZ; {limited}")
        self.assertEqual((done.returncode, done.stdout), (6, b"out\n"), done.stderr)
        self.assertEqual(done.stderr.count(b"\n"), 1, done.stderr)
        self.assert_says(done, "allot: no recording, the program runs unobserved: .*")
        self.assertEqual(os.listdir(folder), [])


class KilledItself(FrontDoor):
    def test_what_a_killed_allot_leaves_is_read(self):
        words = [ALLOT, "run", "-o", "k.allot", "sh", "-c", f"{program('known')}; echo ready; read line"]
        child = subprocess.Popen(words, cwd=self.folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.assertEqual(child.stdout.readline(), b"ready\n")
        # The collector must have seen the process: what starts and ends within its last 20 ms is lost with
        # it.
        for _ in range(200):
            so_far = self.allot("report", "--format", "json", "k.allot.partial")
            if b"/known" in so_far.stdout.split(b'"sites"')[0].replace(b"known; echo", b""):
                break
        child.send_signal(signal.SIGKILL)
        child.wait(timeout=60)
        child.stdin.close()
        child.stdout.read()
        child.stdout.close()
        self.assertEqual(self.files(), ["k.allot.partial"])
        report = self.report(os.path.join(self.folder, "k.allot.partial"))
        self.assertTrue(report["partial"])
        known = [p for p in report["processes"] if p["command"] and p["command"][0].endswith("known")]
        self.assertEqual(len(known), 1, report["processes"])
        self.assertGreaterEqual(known[0]["totals"]["allocations"], 1050)
        text = self.allot("report", "k.allot.partial")
        self.assertIn(b"PARTIAL", text.stdout)


if __name__ == "__main__":
    unittest.main()
