#!/usr/bin/env python3
"""symbols_test.py BUILD CHECK: records programs whose allocations are marked in their source, and compares the report.

story.cpp explains the marks. A check passes when every mark holds.
"""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
MARK = re.compile(r"\b(site|frame|stack) (\d+): ([^;\n]*?)(?=;|\s*\*/|\s*$)")
IS_CLANG = os.environ.get("ALLOT_COMPILER") == "Clang"
failures = []


def expect(condition, message):
    if not condition:
        failures.append(message)


def marks(source):
    """(kind, bytes, text, line) of every mark in a source file."""
    for number, line in enumerate((HERE / source).read_text().splitlines(), 1):
        comment = re.search(r"//.*|/\*.*", line)
        if comment:
            for kind, size, text in MARK.findall(comment.group(0)):
                if IS_CLANG:  # a function's first lambda, as clang calls it in symbols
                    text = re.sub(r"\{lambda[^{}]*\}", "$_0", text)
                yield kind, int(size), text.strip(), number


def short(function):
    """A function's path without template arguments, parameters, return type and clone marks."""
    if function is None:
        return None
    text = re.sub(r" \[clone [^]]*\]", "", function)
    if text.startswith("<"):  # Rust's "<T as Trait>::method"
        return text
    text = re.sub(r"::<[^l<>][^<>]*>$", "", text)  # Rust's arguments
    lambdas = {}

    def put_aside(match):
        lambdas[f"@{len(lambdas)}@"] = match.group(0)
        return f"@{len(lambdas) - 1}@"
    text = re.sub(r"\{[^{}]*\}", put_aside, text).replace("operator()", "operator@")
    while True:
        shorter = re.sub(r"<[^<>]*>|\([^()]*\)( const)?", "", text)
        if shorter == text:
            break
        text = shorter
    text = re.sub(r"operator new(\[\])?", r"operator#new\1", text).split(" ")[-1]
    text = text.replace("operator#new", "operator new").replace("operator@", "operator()")
    for key, value in lambdas.items():
        text = text.replace(key, value)
    return text


class Recording:
    def __init__(self, allot, work, command):
        self.allot, self.file = allot, work / "recording.allot"
        done = subprocess.run([allot, "run", "--quiet", "-o", self.file, "--", *command], capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"allot run: {done.returncode}: {done.stderr}")

    def report(self, *options):
        done = subprocess.run([self.allot, "report", *options, self.file], capture_output=True, text=True, check=True)
        return done.stdout

    def json(self):
        return json.loads(self.report("--format", "json"))


def text_of(frames):
    return " < ".join(f"{short(f['function'])} {f['file']}:{f['line']}" for f in frames)


def check_marks(report, source):
    sites = {row["allocated_bytes"]: row["frame"] for row in report["sites"]}
    contexts = {row["allocated_bytes"]: row["frames"] for row in report["contexts"]}
    count = 0
    for kind, size, text, line in marks(source):
        count += 1
        where = f"{source}:{line}: {kind} {size}: {text}"
        if kind == "site":
            frame = sites.get(size)
            found = frame and (short(frame["function"]), pathlib.Path(frame["file"] or "").name, frame["line"])
            expect(found == (text, source, line), f"{where}\n  found {found}")
            continue
        frames = contexts.get(size, [])
        if kind == "frame":
            places = [(short(f["function"]), pathlib.Path(f["file"] or "").name, f["line"]) for f in frames]
            expect((text, source, line) in places, f"{where}\n  not in {text_of(frames)}")
        else:
            wanted = text.split(" < ")
            expect([short(f["function"]) for f in frames[:len(wanted)]] == wanted, f"{where}\n  found {text_of(frames)}")
    expect(count > 0, f"{source} has no marks")
    print(f"{source}: {count} marks")


def check_story(allot, build, work):
    recording = Recording(allot, work, [build / "tests/symbols_story"])
    check_marks(recording.json(), "story.cpp")


def folded(recording, size, *options):
    """The stack of that many bytes, outermost first."""
    for line in recording.report("--format", "folded", "--sort", "bytes", *options).splitlines():
        stack, _, value = line.rpartition(" ")
        if value == str(size):
            return stack.split(";")
    return []


def check_plain(allot, build, work):
    recording = Recording(allot, work, [build / "tests/symbols_plain", build / "tests/libsymbols_plugin.so"])
    report = recording.json()
    check_marks(report, "plain.c")
    check_marks(report, "plugin.c")
    generated = next(row for row in report["contexts"] if row["allocated_bytes"] == 1004)
    caller = generated["frames"][1] if len(generated["frames"]) > 1 else None
    if caller:  # the unwinder may stop there, but must not invent a name
        expect(caller["module"] is None and caller["function"] is None, f"generated code has a name: {caller}")
        expect(re.fullmatch("0x[0-9a-f]+", folded(recording, 1004)[-2]), f"{folded(recording, 1004)}")
    expect(not generated["complete"] or short(generated["frames"][-1]["function"]) in ("_start", None),
           f"a stack through generated code is complete: {text_of(generated['frames'])}")
    # The call stacks of text and folded lines begin outside wrappers, unless asked otherwise.
    expect(folded(recording, 1001)[-1] == "read_record", f"wrappers hidden: {folded(recording, 1001)}")
    expect(folded(recording, 1001, "--wrappers")[-2:] == ["read_record", "xmalloc"],
           f"wrappers shown: {folded(recording, 1001, '--wrappers')}")


def check_stripped(allot, build, work):
    plugin = build / "tests/libsymbols_stripped_plugin.so"
    recording = Recording(allot, work, [build / "tests/symbols_plain", plugin])
    frames = next(row["frames"] for row in recording.json()["contexts"] if row["allocated_bytes"] == 3002)
    expect(frames[0]["function"] is None, f"a hidden function has a name: {frames[0]}")
    expect(pathlib.Path(frames[0]["module"]).name == plugin.name, f"module: {frames[0]}")
    expect(frames[1]["function"] == "plugin_work", f"an exported function has none: {frames[1]}")
    expect(folded(recording, 3002)[-1] == f"{plugin.name}+{frames[0]['offset']:#x}", f"{folded(recording, 3002)}")


def check_changed(allot, build, work):
    plugin = work / "plugin.so"
    shutil.copy(build / "tests/libsymbols_plugin.so", plugin)
    recording = Recording(allot, work, [build / "tests/symbols_plain", plugin])
    check_marks(recording.json(), "plugin.c")
    shutil.copy(build / "tests/libsymbols_stripped_plugin.so", plugin)
    frames = next(row["frames"] for row in recording.json()["contexts"] if row["allocated_bytes"] == 3001)
    expect(frames[0]["function"] is None, f"a name from another build: {frames[0]}")
    expect("plugin.so changed since the recording" in recording.report(), recording.report())
    plugin.unlink()
    frames = next(row["frames"] for row in recording.json()["contexts"] if row["allocated_bytes"] == 3001)
    expect(frames[0]["function"] is None and frames[0]["offset"] > 0, f"a name from no file: {frames[0]}")
    expect("plugin.so is gone since the recording" in recording.report(), recording.report())


def check_rust(allot, build, work):
    if shutil.which("rustc") is None:
        print("rustc is not installed")
        sys.exit(77)
    for mangling in ("legacy", "v0"):
        built = subprocess.run(["rustc", "-O", "-g", "-C", f"symbol-mangling-version={mangling}", "-Zunstable-options", "-o",
                                work / "words", HERE / "words.rs"], capture_output=True, text=True,
                               env={**os.environ, "RUSTC_BOOTSTRAP": "1"})
        if built.returncode != 0:
            print(f"rustc can't mangle as {mangling}: {built.stderr.splitlines()[0]}")
            continue
        recording = Recording(allot, work, [work / "words"])
        recording.file.rename(work / f"{mangling}.allot")
        recording.file = work / f"{mangling}.allot"
        check_marks(recording.json(), "words.rs")


def main():
    build, check = pathlib.Path(sys.argv[1]).resolve(), sys.argv[2]
    with tempfile.TemporaryDirectory(prefix="allot-symbols-") as work:
        globals()[f"check_{check}"](str(build / "bin/allot"), build, pathlib.Path(work))
    for failure in failures:
        print(failure)
    sys.exit(1 if failures else 0)


main()
