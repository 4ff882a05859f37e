"""Real programs: each behaves as without allot, and its totals are those of the oracles."""

import hashlib
import json
import random
from collections import Counter

from harness import EVENTS, Failure, Skip, expect, need, text


class Program:
    """What to run. `make(bench)` writes the inputs and answers (command, extra environment, stdin, outputs).
    `follows` is a program that it starts in turn, which must be observed too."""

    def __init__(self, name, needs, make, valgrind=False, follows=None):
        self.name, self.needs, self.make, self.valgrind, self.follows = name, needs, make, valgrind, follows


def size(bench, short, thorough):
    return thorough if bench.thorough else short


def write(bench, name, content):
    path = bench.work / name
    path.write_text(content)
    return path


# ---- the inputs

AST = """
import ast, os, sys
folder = os.path.dirname(os.__file__)
for name in sorted(n for n in os.listdir(folder) if n.endswith('.py'))[:int(sys.argv[1])]:
    with open(os.path.join(folder, name), encoding='utf-8', errors='replace') as source:
        tree = ast.parse(source.read())
    print(name, sum(1 for _ in ast.walk(tree)), len(ast.dump(tree)))
"""


def python(bench, extra=None):
    script = write(bench, "walk.py", AST)
    return ["/usr/bin/python3", script, str(size(bench, 25, 1000))], extra or {}, None, []


def python_malloc(bench):
    command, _, _, _ = python(bench)
    return [*command[:2], str(size(bench, 6, 30))], {"PYTHONMALLOC": "malloc"}, None, []


def cplusplus(bench):
    headers = ["vector", "memory"]
    if bench.thorough:
        headers += ["algorithm", "filesystem", "functional", "iostream", "map", "ranges", "regex", "string", "thread"]
    body = "".join(f"#include <{header}>\n" for header in headers)
    for i in range(size(bench, 5, 60)):
        body += f"""
template <class T> struct table{i} {{ std::vector<std::vector<T>> rows; std::unique_ptr<T> one; }};
int use{i}() {{ table{i}<int> t; t.rows.push_back({{{i}, 1}}); t.one.reset(new int({i})); return t.rows[0][1] + *t.one; }}
"""
    source = write(bench, "heavy.cpp", body)
    out = bench.work / "heavy.o"
    return ["g++", "-std=c++20", size(bench, "-O0", "-O1"), "-c", source, "-o", out], {}, None, [out]


def sqlite(bench):
    script = write(bench, "bulk.sql", f"""
CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT, size INTEGER);
BEGIN;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {size(bench, 20000, 400000)})
INSERT INTO item SELECT i, 'item number ' || (i * 7919 % 100003), i * 31 % 1009 FROM n;
COMMIT;
CREATE INDEX by_name ON item (name);
SELECT size, count(*), max(name) FROM item GROUP BY size ORDER BY 2 DESC, 1 LIMIT 20;
SELECT count(*) FROM item a JOIN item b ON a.name = b.name WHERE a.size > b.size;
""")
    return ["sqlite3", ":memory:"], {}, script, []


def jq(bench):
    dice = random.Random(1)
    rows = [{"id": i, "name": f"row {dice.randrange(10**9)}", "tags": [dice.choice("abcdef") for _ in range(5)],
             "at": {"x": dice.random(), "y": None, "deep": {"er": [i, str(i)]}}} for i in range(size(bench, 3000, 40000))]
    data = write(bench, "rows.json", json.dumps(rows))
    return ["jq", "-S", "group_by(.tags[0]) | map({tag: .[0].tags[0], n: length, last: (map(.name) | max)})", data], {}, None, []


def perl(bench):
    script = write(bench, "words.pl", r"""
my ($rows, %seen) = ($ARGV[0]);
for my $i (1 .. $rows) {
    my $word = join '', map { chr(97 + ($i * $_ * 31) % 26) } 1 .. 6;
    push @{$seen{$word}}, "line $i";
    $word =~ s/([aeiou])/<$1>/g;
    $seen{$word}++ unless ref $seen{$word};
}
printf "%s %s\n", $_, ref $seen{$_} ? scalar @{$seen{$_}} : $seen{$_} for (sort keys %seen)[0 .. 49];
""")
    return ["perl", script, str(size(bench, 20000, 150000))], {}, None, []


def git(bench):
    folder = bench.work / "repository"
    if not folder.exists():
        need("git")
        stream, lines = [], [f"line {i}" for i in range(200)]
        dice = random.Random(2)
        for commit in range(size(bench, 150, 3000)):
            for _ in range(3):
                lines[dice.randrange(200)] = f"line {dice.randrange(10**6)}"
            content, message = "\n".join(lines) + "\n", f"change {commit}"
            stream.append(f"commit refs/heads/main\ncommitter A <a@b> {1700000000 + commit} +0000\ndata {len(message)}\n{message}\n"
                          f"M 644 inline dir{commit % 7}/file{commit % 31}\ndata {len(content)}\n{content}")
        feed = write(bench, "stream", "\n".join(stream))
        for command, stdin in ((["git", "init", "-q", "-b", "main", folder], None),
                               (["git", "-C", folder, "fast-import", "--quiet"], feed)):
            done = bench.run(command, stdin=stdin)
            expect(done.code == 0, text(done.err))
    return ["git", "--no-pager", "-C", folder, "log", "-p", "--no-color", "--stat"], {}, None, []


def threads(bench):
    dice = random.Random(3)
    data = write(bench, "lines", "".join(f"{dice.randrange(10**9)} {i}\n" for i in range(size(bench, 150000, 1500000))))
    return ["sort", "--parallel=2", "-S", "200M", data], {}, None, []


def forks(bench):
    # No shell here: it keeps process ids as text, whose lengths differ from run to run.
    script = write(bench, "forks.pl", r"""
use POSIX ();
$| = 1;
for my $i (1 .. 6) {
    my $child = fork;
    if ($child == 0) {
        my @mine = map { "line $_" } 1 .. 1000 * $i;
        if ($i % 3 == 0) { print "child $i, ", scalar @mine, "\n"; POSIX::_exit($i) }
        if ($i % 3 == 1) { exit $i }
        open STDIN, '<', $0; exec 'tr', 'a-z', 'A-Z';
    }
    waitpid $child, 0;
    print "child $i ended with ", $? >> 8, "\n";
}
exit 7;
""")
    return ["perl", script], {}, None, []


# They allocate otherwise where their memory lies otherwise; two runs are equal only by chance.
MOVED_BY_ADDRESSES = {"g++"}

PROGRAMS = [
    Program("python", ["/usr/bin/python3"], python),
    Program("python-malloc", ["/usr/bin/python3"], python_malloc),
    Program("g++", ["g++"], cplusplus, follows="cc1plus"),
    Program("sqlite", ["sqlite3"], sqlite),
    Program("jq", ["jq"], jq, valgrind=True),
    Program("perl", ["perl"], perl, valgrind=True),
    Program("git", ["git"], git, valgrind=True),
    Program("sort", ["sort"], threads),
    Program("forks", ["perl"], forks, follows="tr"),
]


# ---- the checks

def digest(paths):
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]


def same_behaviour(bench, name, command, env, stdin, outputs):
    """Answers what was compared. Only what equals itself without allot is."""
    first, files = bench.run(command, env, stdin), digest(outputs)
    second = bench.run(command, env, stdin)
    observed = bench.observe(name, command, env, stdin)
    expect(observed.code == first.code, f"exit code {observed.code} instead of {first.code}: {text(observed.err)[-300:]}")
    compared = ["exit code"]
    for what, label in (("out", "stdout"), ("err", "stderr")):
        if getattr(first, what) == getattr(second, what):
            expect(getattr(first, what) == getattr(observed, what), f"another {label}: {text(getattr(observed, what))[-300:]}")
            compared.append(label)
    if outputs:
        expect(digest(outputs) == files, "another output file")
        compared.append("files")
    return f"same {', '.join(compared)}"


def sums(images):
    return [sum(column) for column in zip(*images)] or [0] * len(EVENTS)


def exact_totals(bench, name, command, env, stdin):
    """What allot counts must be what the oracle counts. Where the program counts otherwise when its memory lies
    elsewhere (cc1plus hashes pointers), both count the same run."""
    images = bench.oracle(name, command, env, stdin)
    elsewhere = bench.oracle(name, command, env, stdin, shift=37 << 20)
    together = images != elsewhere or name in MOVED_BY_ADDRESSES
    if together:
        images, report = bench.observe_beside_oracle(name, command, env, stdin)
    else:
        bench.observe(name, command, env, stdin)
        report = bench.report(bench.recording(name))
        bench.check_sums(report)
    found = bench.counts(report)
    expect(report["dropped"] == {"stacks": 0, "events": 0}, f"dropped {report['dropped']}")
    expect(len(found) == len(images), f"{len(found)} processes counted, the oracle saw {len(images)}")
    if found != images:
        only = lambda a, b: list((Counter(a) - Counter(b)).elements())[:4]
        raise Failure(f"allot minus oracle ({', '.join(EVENTS)}): {[a - b for a, b in zip(sums(found), sums(images))]} "
                      f"in all; only the oracle has {only(images, found)}, only allot {only(found, images)}")
    said = f"{sums(images)[0]:,} allocations, {sums(images)[3]:,} bytes in {len(images)} processes: equal to the oracle's"
    return said + (" in the same run" if together else "")


def near_valgrind(bench, name, command, env, stdin):
    allocations, frees, size_all = bench.valgrind(command, env, stdin)
    totals = bench.report(bench.recording(name))["totals"]
    for word, theirs, share, slack in (("allocations", allocations, 0.001, 20), ("frees", frees, 0.001, 20),
                                       ("allocated_bytes", size_all, 0.002, 4096)):
        expect(abs(totals[word] - theirs) <= theirs * share + slack, f"{word} {totals[word]}, Valgrind's {theirs}")
    return f"Valgrind's {allocations:,} / {frees:,} / {size_all:,}: near"


def check(program):
    def run(bench):
        need(*program.needs)
        command, extra, stdin, outputs = program.make(bench)
        env = bench.environment(extra)
        said = [same_behaviour(bench, program.name, command, env, stdin, outputs),
                exact_totals(bench, program.name, command, env, stdin)]
        if program.follows:
            started = [row for row in bench.report(bench.recording(program.name))["processes"]
                       if row["command"] and row["command"][0].split("/")[-1] == program.follows]
            expect(started and all(row["observed"] and row["totals"]["allocations"] > 0 for row in started),
                   f"{program.follows} was not followed")
            said.append(f"{program.follows} followed")
        if program.valgrind and (bench.thorough or program.name == "jq"):
            try:
                said.append(near_valgrind(bench, program.name, command, env, stdin))
            except Skip as missing:
                if bench.thorough:
                    raise
                said.append(str(missing))
        return "; ".join(said)

    return run


CHECKS = {program.name: check(program) for program in PROGRAMS}
