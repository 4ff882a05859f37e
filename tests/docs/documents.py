#!/usr/bin/env python3
"""documents.py ROOT: what the documents quote is there.

A block fenced as cpp, c or cmake stands, line for line, in a file of examples/ or tests/consume/, where it is compiled; one
fenced as output stands in an examples/*.out, which a test compares with what the example prints. Indentation may differ
as a whole; a line "…" leaves lines out. A link to a file leads to one. One line a finding: file:line: what is wrong.
"""
import pathlib
import re
import sys
import textwrap

ORIGINS = {"cpp": ["examples/*.cpp", "tests/consume/*.cpp"], "c": ["examples/*.c", "tests/consume/*.c"],
           "cmake": ["tests/consume/*/CMakeLists.txt"],
           "output": ["examples/*.out"]}
LINK = re.compile(r"\]\(([^)#\s]+)(#[^)]*)?\)")


def blocks(text):
    """(line number, language, lines) of each fenced block."""
    language, begin, lines = None, 0, []
    for number, line in enumerate(text.splitlines(), 1):
        fence = re.match(r"^```(\w*)$", line)
        if fence and language is None:
            language, begin, lines = fence[1], number, []
        elif fence:
            yield begin, language, lines
            language = None
        elif language is not None:
            lines.append(line)


def pieces(lines):
    """The runs of lines between those that say "…"."""
    piece = []
    for line in [*lines, "…"]:
        if line.strip() in ("…", "// …", "# …"):
            if piece:
                yield piece
            piece = []
        else:
            piece.append(line)


def stands_in(piece, file_lines):
    wanted = textwrap.dedent("\n".join(piece))
    return any(textwrap.dedent("\n".join(file_lines[i:i + len(piece)])) == wanted for i in range(len(file_lines)))


class Documents:
    def __init__(self, root):
        self.root = root
        self.origins = {language: [path.read_text().splitlines() for pattern in patterns for path in root.glob(pattern)]
                        for language, patterns in ORIGINS.items()}
        self.findings = []
        self.quoted = 0

    def check(self, path):
        text = path.read_text()
        name = path.relative_to(self.root)
        for number, language, lines in blocks(text):
            if language not in self.origins:
                continue
            self.quoted += 1
            found = any(all(stands_in(piece, origin) for piece in pieces(lines)) for origin in self.origins[language])
            if not found:
                self.findings.append(f"{name}:{number}: this {language} stands in none of {', '.join(ORIGINS[language])}")
        for number, line in enumerate(text.splitlines(), 1):
            for target, _ in LINK.findall(line):
                if "://" not in target and not (path.parent / target).exists():
                    self.findings.append(f"{name}:{number}: the link to {target} leads nowhere")


def main():
    root = pathlib.Path(sys.argv[1])
    documents = Documents(root)
    paths = [*root.glob("*.md"), *root.glob("docs/**/*.md"), *root.glob("bench/**/*.md")]
    for path in paths:
        documents.check(path)
    for finding in documents.findings:
        print(finding)
    print(f"{len(paths)} documents, {documents.quoted} quoted blocks, {len(documents.findings)} findings")
    return 1 if documents.findings or not documents.quoted else 0


if __name__ == "__main__":
    sys.exit(main())
