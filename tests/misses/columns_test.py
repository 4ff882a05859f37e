#!/usr/bin/env python3
"""columns_test.py VALGRIND PROGRAM: B64: misses per item of a loop over one field, in columns and in structs.

A test of cache locality that counts items cannot fail; this one counts misses. The difference of a long and a short
run is the loop alone. A struct of eight floats brings 32 bytes into the cache for the 4 that the loop reads: a miss in
two rows; a column misses once in sixteen.
"""
import pathlib
import re
import subprocess
import sys
import tempfile

ROWS = 100_000
ROUNDS = 4


def misses(valgrind, program, layout, rounds):
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "out"
        subprocess.run([valgrind, "--tool=cachegrind", "--cache-sim=yes", "--D1=32768,8,64", "--LL=1048576,16,64",
                        f"--cachegrind-out-file={out}", program, layout, str(rounds)],
                       check=True, capture_output=True, stdin=subprocess.DEVNULL)
        text = out.read_text()
    names = re.search(r"^events: (.*)$", text, re.M)[1].split()
    counts = [int(each) for each in re.search(r"^summary: (.*)$", text, re.M)[1].split()]
    return dict(zip(names, counts))["D1mr"]


def per_item(valgrind, program, layout):
    return (misses(valgrind, program, layout, 1 + ROUNDS) - misses(valgrind, program, layout, 1)) / (ROWS * ROUNDS)


def main():
    valgrind, program = sys.argv[1:]
    columns, structs = (per_item(valgrind, program, layout) for layout in ("columns", "structs"))
    print(f"misses per item: {columns:.4f} in columns, {structs:.4f} in structs")
    if not structs > 0.45:
        sys.exit("structs miss too seldom: the loop was not counted")
    if not 0.06 < columns <= 0.07:
        sys.exit("a column of floats misses once in sixteen items")
    if structs < 7.5 * columns:
        sys.exit("columns miss less than 7.5 times as seldom")


main()
