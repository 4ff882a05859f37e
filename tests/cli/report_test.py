"""What a report shows of a recording, and what bad recordings and wrong words get."""

import collections
import itertools
import os
import random
import stat
import subprocess
import unittest

from front_door import ALLOT, SANITIZED, FrontDoor, program

GROUPS = ["site", "context", "module", "thread", "process"]
ORDERS = ["peak", "live", "bytes", "count", "temporary"]
SORTED_BY = {"peak": "live_bytes_at_peak", "live": "live_bytes_at_exit", "bytes": "allocated_bytes",
             "count": "allocations", "temporary": "temporary_allocations"}


class WhatIsShown(FrontDoor):
    def test_a_known_heap_has_its_numbers(self):
        report = self.report(self.record(program("known")))
        site = {row["frame"]["function"]: row for row in report["sites"]}
        fill, brief = site["fill"], site["pass"]
        self.assertEqual([fill[name] for name in ("allocations", "allocated_bytes", "live_blocks_at_exit",
                                                  "live_bytes_at_exit", "peak_live_bytes", "live_bytes_at_peak")],
                         [1000, 100000, 400, 40000, 100000, 100000])
        self.assertEqual([brief["allocations"], brief["temporary_allocations"], brief["peak_live_bytes"]], [50, 50, 7])
        self.assertTrue(fill["frame"]["file"].endswith("known.c"))
        self.assertEqual(report["processes"][0]["exit"], {"code": 0})
        self.assertEqual(report["dropped"], {"stacks": 0, "events": 0})
        stack = next(row for row in report["contexts"] if row["frames"][0]["function"] == "fill")
        self.assertEqual([frame["function"] for frame in stack["frames"]][:2], ["fill", "main"])
        self.assertTrue(stack["complete"])

    def test_wrappers_are_no_sites_and_are_hidden_from_people_unless_asked_for(self):
        path = self.record(program("wrapped"))
        report = self.report(path)
        # A site is a call in the program's code, of which an unrolled loop has several.
        ours = collections.Counter()
        for row in report["sites"]:
            if row["frame"]["module"].endswith("/wrapped"):
                ours[row["frame"]["function"]] += row["allocated_bytes"]
        self.assertEqual(ours, {"seven": 700, "three": 300})
        # Programs get whole stacks: frames[0] is who called malloc.
        stacks = [[frame["function"] for frame in row["frames"]][:4] for row in report["contexts"]]
        self.assertIn(["xmalloc", "xcalloc", "seven", "main"], stacks)
        self.assertIn(["xmalloc", "three", "main"], [stack[:3] for stack in stacks])
        for words in ((), ("--by", "context"), ("--format", "folded")):
            hidden, shown = (self.allot("report", *words, *more, path).stdout.decode() for more in ((), ("--wrappers",)))
            self.assertNotRegex(hidden, "xmalloc|xcalloc", words)
            self.assertRegex(hidden, "seven(.|\n)*three|three(.|\n)*seven", words)
            self.assertRegex(shown, "xmalloc", words)
            self.assertRegex(shown, "xcalloc", words)

    def test_counts_agree_with_the_full_recording(self):
        full = self.report(self.record(program("known")))
        os.remove(os.path.join(self.folder, "recorded.allot"))
        count = self.report(self.record(program("known"), flags=["--count"]))
        for name in ("allocations", "frees", "reallocations", "allocated_bytes"):
            self.assertEqual(count["totals"][name], full["totals"][name], name)
        self.assertEqual((count["mode"], count["live_basis"]), ("count", "usable"))
        self.assertIsNone(count["totals"]["temporary_allocations"])
        self.assertGreaterEqual(count["totals"]["peak_live_bytes"], full["totals"]["peak_live_bytes"])
        self.assertEqual((count["sites"], count["contexts"]), ([], []))

    def test_every_combination_parses_and_adds_up(self):
        path = self.record("sh", "-c", f"{program('known')}; ls -l / | sort")
        whole = self.report(path)
        totals = whole["totals"]
        for by, order in itertools.product(GROUPS, ORDERS):
            report = self.report(path, "--by", by, "--sort", order)
            for table in ("contexts", "sites"):
                rows = report[table]
                self.assertEqual(sum(row["live_bytes_at_peak"] for row in rows), totals["peak_live_bytes"])
                self.assertEqual(sum(row["live_bytes_at_exit"] for row in rows), totals["live_bytes_at_exit"])
                self.assertEqual(sum(row["allocations"] for row in rows),
                                 totals["allocations"] - report["dropped"]["events"])
                ranked = [row[SORTED_BY[order]] for row in rows]
                self.assertEqual(ranked, sorted(ranked, reverse=True))
            few = self.report(path, "--by", by, "--sort", order, "--top", "2")
            self.assertEqual(few["contexts"], report["contexts"][:2])
            self.assertEqual(few["sites"], report["sites"][:2])
            text = self.allot("report", "--by", by, "--sort", order, "--top", "3", path)
            self.assertEqual((text.returncode, text.stderr), (0, b""))
            self.assertTrue(all(len(line) <= 100 for line in text.stdout.decode().splitlines()), text.stdout.decode())
        self.assertEqual(sum(p["totals"]["allocations"] for p in whole["processes"]), totals["allocations"])
        self.assertIn("modules", self.report(path, "--by", "module"))
        self.assertIn("threads", self.report(path, "--by", "thread"))

    def test_folded_lines_add_up(self):
        path = self.record(program("known"))
        totals = self.report(path)["totals"]
        for order, total in (("peak", "peak_live_bytes"), ("bytes", "allocated_bytes"), ("count", "allocations")):
            done = self.allot("report", "--format", "folded", "--sort", order, path)
            lines = done.stdout.decode().splitlines()
            self.assertEqual(sum(int(line.rsplit(" ", 1)[1]) for line in lines), totals[total])
        self.assertTrue(any(";main;fill " in line for line in lines), lines)

    def test_processes_are_followed_through_fork_and_exec(self):
        report = self.report(self.record("sh", "-c", f"{program('known')}; {program('known')} 15; exec ls /"))
        ends = [(os.path.basename(p["command"][0]), p["exit"]) for p in report["processes"]]
        self.assertIn(("known", {"code": 0}), ends)
        # Whoever waits for a grandchild learns its signal; from outside it may only be seen to be gone.
        self.assertTrue(("known", {"signal": 15}) in ends or ("known", None) in ends, ends)
        self.assertEqual(ends[0], ("sh", {"exec": True}))
        self.assertIn(("ls", {"code": 0}), ends)
        shell = report["processes"][0]["pid"]
        self.assertTrue(all(p["parent_pid"] == shell for p in report["processes"] if p["command"][0].endswith("known")))

    def test_no_arguments_keeps_them_out_of_the_file(self):
        path = self.record("sh", "-c", "true secret_word; ls / >/dev/null", flags=["--no-arguments"])
        report = self.report(path)
        self.assertTrue(all(len(p["command"]) <= 1 for p in report["processes"]), report["processes"])
        with open(path, "rb") as file:
            self.assertNotIn(b"secret_word", file.read())

    def test_the_recording_is_for_its_owner_only_and_nothing_else_is_left(self):
        path = self.record("true")
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
        self.assertEqual(self.files(), ["recorded.allot"])

    def test_the_default_name_has_program_and_pid(self):
        self.allot("run", "sh", "-c", "true")
        self.assertRegex(" ".join(self.files()), r"^allot\.sh\.[0-9]+\.allot$")

    def test_colour_only_on_a_terminal(self):
        path = self.record("true")
        script = f"{ALLOT} report {path}"
        terminal = lambda **more: subprocess.run(["script", "-qec", script, "/dev/null"], capture_output=True,
                                                 env=dict(os.environ, TERM="xterm", **more)).stdout
        os.environ.pop("NO_COLOR", None)
        self.assertIn(b"\x1b[", terminal())
        self.assertNotIn(b"\x1b[", terminal(NO_COLOR="1"))
        self.assertNotIn(b"\x1b[", self.allot("report", path).stdout)

    def test_a_reader_that_goes_away_is_no_error(self):
        path = self.record("python3" if os.path.exists("/usr/bin/python3") else "perl", "-c", "1")
        for ignored in ("", "trap '' PIPE; "):
            done = self.run_plain("bash", "-c", f"{ignored}{ALLOT} report --format json {path} | head -c 1")
            self.assertEqual((done.stdout, done.stderr), (b"{", b""))
        full = self.run_plain("bash", "-c", f"{ALLOT} report {path} >/dev/full")
        self.assert_one_line(full, "cannot write the report: No space left on device", 125)


@unittest.skipIf(SANITIZED, "the library's sanitizer owns malloc: the program is not observed")
class NamedMemory(FrontDoor):
    def test_arenas_and_pools_show_up_by_name_with_their_peak(self):
        peak, third, pool = (int(word) for word in self.run_plain(program("arenas")).stdout.split())
        for flags in ([], ["--count"]):
            path = self.record(program("arenas"), flags=flags)
            rows = {(row["kind"], row["name"]): row for row in self.report(path)["named_memory"]}
            self.assertEqual(sorted(rows), [("arena", "request"), ("pool", "sessions")])
            request, sessions = rows["arena", "request"], rows["pool", "sessions"]
            self.assertEqual([request["peak_held_bytes"], request["held_bytes_at_exit"], request["source_count"]],
                             [peak, third, 3])
            self.assertEqual([sessions["peak_held_bytes"], sessions["held_bytes_at_exit"],
                              sessions["held_count_at_exit"]], [pool, pool, 1])
            self.assertRegex(self.allot("report", path).stdout.decode(),
                             r"Named memory, by its own peak\n.*\n.* 3  arena request\n.* 1  pool sessions\n")
            os.remove(path)

    def test_a_program_without_them_has_no_table(self):
        path = self.record(program("known"))
        self.assertEqual(self.report(path)["named_memory"], [])
        self.assertNotIn("Named memory", self.allot("report", path).stdout.decode())


class BadInput(FrontDoor):
    def test_a_cut_recording_is_refused_at_every_sixteenth(self):
        path = self.record(program("known"))
        with open(path, "rb") as file:
            whole = file.read()
        cut = os.path.join(self.folder, "cut.allot")
        for part in range(16):
            with open(cut, "wb") as file:
                file.write(whole[:len(whole) * part // 16])
            for form in ("text", "json", "folded"):
                self.assert_one_line(self.allot("report", "--format", form, cut), f"{cut}: .+")
            saved = self.allot("report", "--salvage", cut)
            self.assertEqual(saved.returncode, 2, part)
            self.assertIn(b"allot: " + cut.encode() + b": ", saved.stderr)
        self.assertEqual(self.allot("report", "--salvage", path).returncode, 0)

    def test_a_changed_byte_is_refused(self):
        path = self.record(program("known"))
        with open(path, "rb") as file:
            whole = file.read()
        seed = random.randrange(1 << 32)
        chance = random.Random(seed)
        for _ in range(40):
            place = chance.randrange(len(whole))
            wrong = bytearray(whole)
            wrong[place] ^= 1 << chance.randrange(8)
            with open(path, "wb") as file:
                file.write(wrong)
            with self.subTest(seed=seed, place=place):
                self.assert_one_line(self.allot("report", path), f"{path}: .+")
                self.assertIn(self.allot("report", "--salvage", path).returncode, (2,))

    def test_other_files_are_refused(self):
        for name, content in (("empty", b""), ("text", b"hello\n" * 100), ("zero", bytes(4096)),
                              ("noise", os.urandom(20000)), ("half", b"ALLOT"), ("segment", b"ALLOTSEG" + bytes(4000)),
                              ("segment_noise", b"ALLOTSEG" + os.urandom(40000)),
                              ("recording_noise", b"ALLOTREC" + os.urandom(40000))):
            path = os.path.join(self.folder, name)
            with open(path, "wb") as file:
                file.write(content)
            for more in ((), ("--salvage",)):
                self.assert_one_line(self.allot("report", *more, path), f"{path}: .+")
        self.assert_one_line(self.allot("report", self.folder), f"{self.folder}: .*directory")
        self.assert_one_line(self.allot("report", "/nowhere/x"), "/nowhere/x: .*No such file")

    def test_counts_have_no_stacks_to_fold(self):
        path = self.record("true", flags=["--count"])
        self.assert_one_line(self.allot("report", "--format", "folded", path), f"{path}: recorded with --count")

    def test_an_existing_output_is_never_overwritten(self):
        path = os.path.join(self.folder, "here.allot")
        for name in (path, path + ".partial"):
            with open(name, "w") as file:
                file.write("precious")
            self.assert_one_line(self.allot("run", "-o", path, "sh", "-c", "echo ran"), f"-o {path}: .*exists")
            with open(name) as file:
                self.assertEqual(file.read(), "precious")
            os.remove(name)
        self.assert_one_line(self.allot("run", "-o", "/nowhere/x", "sh", "-c", "echo ran"), "-o /nowhere/x: .*no folder")

    def test_wrong_words_are_named_with_the_near_one(self):
        for words, said in ((["rnu"], "unknown verb rnu: did you mean run?"),
                            (["run", "--quite", "true"], "unknown flag --quite: did you mean --quiet?"),
                            (["report", "--fromat", "json", "x"], "did you mean --format?"),
                            (["report", "--by", "modul", "x"], "did you mean module?"),
                            (["report", "--top", "none", "x"], "--top none: must be"),
                            (["--verison"], "did you mean --version?"), (["run"], "no program"), ([], "no verb")):
            self.assert_one_line(self.allot(*words), ".*" + said.replace("?", r"\?"))

    def test_help_and_version_go_to_stdout(self):
        for words in (["--help"], ["-h"], ["help"], ["run", "--help"], ["report", "-h"], ["help", "report"], ["-V"]):
            done = self.allot(*words)
            self.assertEqual((done.returncode, done.stderr), (0, b""))
            self.assertTrue(done.stdout.endswith(b"\n"))
            self.assertTrue(all(len(line) <= 100 for line in done.stdout.decode().splitlines()))


if __name__ == "__main__":
    unittest.main()
