"""The observed program must not notice: arguments, environment, descriptors, signals, input and output are its own,
and allot ends as it ended."""

import os
import pty
import signal
import subprocess
import unittest

from front_door import ALLOT, SANITIZED, FrontDoor, program

MODES = ["--full", "--count"]
ODD_ARGUMENTS = ["[a,b]", "", "--", "-x", "--quiet", "a b", "{}", "%s", "*", "\\", "'", '"', "\n", "--output=x", "-",
                 b"\xff\xfe", "größe"]


class WhatTheProgramGets(FrontDoor):
    def states(self, flags=(), arguments=(), **options):
        bare = self.run_plain(program("state"), *arguments, **options).stdout.decode().splitlines()
        done = self.allot("run", "--quiet", *flags, "--", program("state"), *arguments, **options)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stderr, b"")
        return bare, done.stdout.decode().splitlines()

    def added(self, bare, seen):
        """The lines that `seen` has beyond `bare`; nothing else may differ."""
        own = [line for line in seen if line not in bare]
        self.assertEqual([line for line in seen if line in bare], bare)
        return own

    def test_differs_by_two_variables_only(self):
        for mode in MODES:
            bare, seen = self.states([mode], ODD_ARGUMENTS)
            own = self.added(bare, seen)
            names = [bytes.fromhex(line.split()[1]).split(b"=")[0] for line in own]
            self.assertEqual(names, [b"LD_PRELOAD", b"ALLOT_SEGMENT"], own)

    def test_odd_arguments_arrive_without_dashes_too(self):
        bare = self.run_plain(program("state"), *ODD_ARGUMENTS).stdout
        seen = self.allot("run", "--quiet", program("state"), *ODD_ARGUMENTS).stdout
        pick = lambda text: [line for line in text.splitlines() if line.startswith(b"argument")]
        self.assertEqual(pick(seen), pick(bare))
        self.assertEqual(len(pick(seen)), len(ODD_ARGUMENTS) + 1)

    def test_inherited_descriptors_are_passed_on_and_closed_ones_stay_closed(self):
        extra = os.open("/dev/null", os.O_RDONLY)
        os.set_inheritable(extra, True)
        bare, seen = self.states(pass_fds=[extra])
        os.close(extra)
        self.assertEqual(len(self.added(bare, seen)), 2)
        for closed in ("0", "2", "0 2"):
            close = " ".join(f"{number}>&-" for number in closed.split())
            script = f'exec "$@" {close}'
            bare = self.run_plain("sh", "-c", script, "sh", program("state")).stdout.decode().splitlines()
            seen = self.run_plain("sh", "-c", script, "sh", ALLOT, "run", "--quiet", program("state"))
            self.assertEqual(len(self.added(bare, seen.stdout.decode().splitlines())), 2, closed)

    def test_signal_mask_and_dispositions_are_passed_on(self):
        def odd():
            signal.signal(signal.SIGCHLD, signal.SIG_IGN)
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.signal(signal.SIGPIPE, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_SETMASK, {signal.SIGUSR1, signal.SIGQUIT, signal.SIGRTMIN + 3})

        bare, seen = self.states(preexec_fn=odd)
        self.assertIn("signal 17 blocked 0 ignored flags 0", bare)
        self.assertEqual(len(self.added(bare, seen)), 2)

    @unittest.skipIf(SANITIZED, "a sanitizer's runtime must be the first library, so the tool cannot be preloaded itself")
    def test_a_users_preload_stays_behind_ours(self):
        environment = dict(os.environ, LD_PRELOAD=program("libmarker.so"))
        done = self.allot("run", "--quiet", "env", env=environment)
        self.assertIn(b"marker loaded", done.stdout)
        line = next(line for line in done.stdout.decode().splitlines() if line.startswith("LD_PRELOAD="))
        self.assertRegex(line, r"^LD_PRELOAD=/.*/liballot_preload\.so:.*/libmarker\.so$")

    def test_input_and_output_pass_byte_by_byte(self):
        noise = os.urandom(1 << 20)
        for mode in MODES:
            done = self.allot("run", mode, "--quiet", "cat", input=noise)
            self.assertEqual(done.stdout, noise)
            self.assertEqual(done.stderr, b"")

    def test_quiet_says_nothing_unless_it_fails(self):
        for words in (["true"], ["sh", "-c", "exit 3"], ["sh", "-c", "kill -9 $$"], [program("still")]):
            self.assertEqual(self.allot("run", "--quiet", *words).stderr, b"", words)
        self.assert_one_line(self.allot("run", "--quiet", "/nowhere/prog"),
                             "cannot run /nowhere/prog: No such file or directory", 127)
        self.assert_one_line(self.allot("run", "-q", "-o", "/nowhere/x", "true"), ".*/nowhere", 2)

    def test_what_the_program_says_on_stderr_stays_and_ours_follows(self):
        done = self.allot("run", "sh", "-c", "echo mine >&2")
        lines = done.stderr.decode().splitlines()
        self.assertEqual(lines[0], "mine")
        self.assertTrue(all(line.startswith("allot: ") for line in lines[1:]), lines)
        self.assertLessEqual(len(lines), 16)

    @unittest.skipIf(SANITIZED, "the child is large before it becomes the program: a sanitizer's shadow memory")
    def test_peak_rss_is_the_programs_own(self):
        path = self.record(program("empty"))
        self.assertLess(self.report(path)["peak_rss_bytes"], 8 << 20)

    def test_runs_within_a_run(self):
        outer = os.path.join(self.folder, "outer.allot")
        inner = os.path.join(self.folder, "inner.allot")
        done = self.allot("run", "-q", "-o", outer, "--", ALLOT, "run", "-q", "-o", inner, "--", "sh", "-c", "exit 5")
        self.assertEqual(done.returncode, 5, done.stderr)
        self.assertEqual([p["command"][0] for p in self.report(inner)["processes"]], ["sh"])
        self.assertEqual(self.report(outer)["processes"][0]["command"][0], ALLOT)


class HowItEnds(FrontDoor):
    def test_with_every_exit_code(self):
        for code in range(256):
            done = self.allot("run", "--count", "-q", "-o", f"{code}.allot", "sh", "-c", f"exit {code}")
            self.assertEqual(done.returncode, code, done.stderr)

    def test_by_every_fatal_signal(self):
        for number in sorted(signal.valid_signals() - {signal.SIGKILL}):
            if number in (signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU, signal.SIGCHLD,
                          signal.SIGCONT, signal.SIGURG, signal.SIGWINCH):
                continue
            done = self.allot("run", "--quiet", "-o", f"{int(number)}.allot", program("known"), str(int(number)))
            self.assertEqual(done.returncode, -number)
            report = self.report(os.path.join(self.folder, f"{int(number)}.allot"))
            self.assertEqual(report["processes"][0]["exit"], {"signal": int(number)})
        self.assertEqual(self.allot("run", "--quiet", program("known"), "9").returncode, -9)
        self.assertFalse([name for name in self.files() if name.startswith("core")])

    def test_when_the_program_cannot_start(self):
        self.assert_one_line(self.allot("run", "/nowhere/prog"),
                             "cannot run /nowhere/prog: No such file or directory", 127)
        self.assert_one_line(self.allot("run", "no-such-program"),
                             "cannot run no-such-program: No such file or directory", 127)
        self.assert_one_line(self.allot("run", self.folder), "cannot run .*: Permission denied", 126)
        self.assertEqual(self.files(), [])

    def test_writes_the_recording_for_a_program_killed_by_terminate(self):
        words = [ALLOT, "run", "-o", "t.allot", "sh", "-c", "echo ready; exec sleep 100"]
        child = subprocess.Popen(words, cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertEqual(child.stdout.readline(), b"ready\n")
        child.terminate()
        text = child.communicate(timeout=60)[1].decode()
        self.assertEqual(child.returncode, -signal.SIGTERM)
        self.assertIn("killed by SIGTERM", text)
        self.assertEqual(self.files(), ["t.allot"])


class AtATerminal(FrontDoor):
    """Keys go to the whole foreground group: the program gets them once, from the terminal itself."""

    def start(self, script):
        pid, terminal = pty.fork()
        if pid == 0:
            os.chdir(self.folder)
            os.execv(ALLOT, [ALLOT, "run", "-o", "t.allot", "sh", "-c", script])
        return pid, terminal

    def read_until(self, terminal, wanted):
        text = b""
        while wanted not in text:
            try:
                part = os.read(terminal, 4096)
            except OSError:
                break
            if not part:
                break
            text += part
        return text

    def test_interrupt_reaches_the_program_and_the_report_is_still_written(self):
        pid, terminal = self.start('n=0; trap "n=\\$((n+1)); echo int \\$n; [ \\$n = 2 ] && exit 7" INT; echo ready;'
                                   " while :; do sleep 0.01; done")
        self.read_until(terminal, b"ready")
        os.write(terminal, b"\x03")
        self.assertIn(b"int 1", self.read_until(terminal, b"int 1"))
        os.write(terminal, b"\x03")
        text = self.read_until(terminal, b"next: allot report")
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 7)
        self.assertIn(b"allot: ", text)
        self.assertEqual(self.files(), ["t.allot"])
        os.close(terminal)

    def test_a_program_that_dies_by_interrupt_takes_allot_along_with_the_report(self):
        pid, terminal = self.start("echo ready; exec sleep 100")
        self.read_until(terminal, b"ready")
        os.write(terminal, b"\x03")
        self.read_until(terminal, b"next: allot report")
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), -signal.SIGINT)
        os.close(terminal)

    def test_stop_and_continue(self):
        pid, terminal = pty.fork()
        if pid == 0:
            self.be_a_shell("echo ready; read line; echo got $line; exit 4")
        self.read_until(terminal, b"ready")
        os.write(terminal, b"\x1a")
        self.assertIn(b"(stopped)", self.read_until(terminal, b"(stopped)"))
        os.write(terminal, b"word\n")
        self.assertIn(b"got word", self.read_until(terminal, b"next: allot report"))
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 4)
        os.close(terminal)

    def be_a_shell(self, script):
        """A job in the foreground, as a shell makes it: a stop in a group without a parent would be ignored."""
        os.chdir(self.folder)
        job = os.fork()
        if job == 0:
            os.setpgid(0, 0)
            signal.signal(signal.SIGTTOU, signal.SIG_IGN)
            os.tcsetpgrp(0, os.getpid())
            signal.signal(signal.SIGTTOU, signal.SIG_DFL)
            os.execv(ALLOT, [ALLOT, "run", "-o", "t.allot", "sh", "-c", script])
        status = os.waitpid(job, os.WUNTRACED)[1]
        if os.WIFSTOPPED(status):
            os.write(1, b"(stopped)\n")
            os.killpg(job, signal.SIGCONT)
            status = os.waitpid(job, 0)[1]
        os._exit(os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    unittest.main()
