#!/usr/bin/env python3
"""layers.py ROOT: reads src/allot/LAYERS and fails on what breaks the layer laws.

Found are: includes that climb or reach aside; files that no CMakeLists.txt lists, listed stems with neither header nor
test; layers that CMake links against the table; system headers outside platform; freestanding stems that include what
is not freestanding. One line a finding: file:line: what is wrong.
"""
import pathlib
import re
import sys

SOURCE_ENDINGS = {".hpp", ".h", ".cpp", ".c"}
ROLES = ("_test", "_bench", "_fuzz")
SYSTEM = re.compile(r"^(unistd\.h|pthread\.h|c?signal(\.h)?|(sys|linux)/.*)$")
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')

# Headers of the C++ library that bring code of libstdc++.so with them. The others (array, atomic, bit, optional, span,
# type_traits …) are inline as long as no throwing path of theirs is used: `readelf -d` on the preload library tells.
HOSTED = set("algorithm any barrier bitset charconv chrono codecvt complex condition_variable coroutine deque "
             "exception execution filesystem format forward_list fstream functional future iomanip ios iosfwd "
             "iostream istream iterator latch list locale map memory memory_resource mutex numeric ostream queue "
             "random ranges ratio regex scoped_allocator semaphore set shared_mutex source_location sstream stack "
             "stdexcept stop_token streambuf string string_view strstream syncstream system_error thread tuple "
             "typeindex typeinfo unordered_map unordered_set valarray variant vector".split())


class Layer:
    def __init__(self, name, allowed, freestanding, line):
        self.name, self.allowed, self.freestanding, self.line = name, allowed, freestanding, line


def read_layers(path):
    layers = {}
    for number, text in enumerate(path.read_text().splitlines(), 1):
        text = text.split("#")[0].strip()
        if not text:
            continue
        before, _, after = text.partition("freestanding:")
        name, *allowed = before.split()
        layers[name] = Layer(name, allowed, set(after.split()), number)
    return layers


def stem_of(path):
    """'threads' of threads.hpp, threads.cpp, threads_test.cpp …; and whether it is a test, benchmark or fuzzer."""
    name = path.name[: -len(path.suffix)]
    for role in ROLES:
        if name.endswith(role):
            return name[: -len(role)], True
    return name, False


class Checker:
    def __init__(self, root):
        self.root = pathlib.Path(root)
        self.src = self.root / "src"
        self.table = self.src / "allot" / "LAYERS"
        self.layers = read_layers(self.table)
        self.findings = []

    def report(self, path, line, text):
        self.findings.append(f"{path.relative_to(self.root)}:{line}: {text}")

    def sources(self):
        return sorted(p for p in self.src.rglob("*") if p.suffix in SOURCE_ENDINGS)

    def owner(self, path):
        """(layer, stem inside the layer) of a file in src, or (None, its path)."""
        inside = path.relative_to(self.src).as_posix()
        inside = inside.removeprefix("allot/")
        folder = inside.rsplit("/", 1)[0] if "/" in inside else ""
        stem, _ = stem_of(path)
        while folder:
            if folder in self.layers:
                below = (pathlib.PurePosixPath(inside).parent / stem).relative_to(folder)
                return self.layers[folder], below.as_posix()
            folder = folder.rpartition("/")[0]
        single = inside[: -len(path.suffix)]  # a layer that is one file: recorder/wire
        if single in self.layers:
            return self.layers[single], stem
        return None, inside

    def check_table(self):
        seen = set()
        for layer in self.layers.values():
            for entry in layer.allowed:
                if entry not in seen and entry.rpartition("/")[0] not in seen:
                    self.report(self.table, layer.line, f"{layer.name} names {entry}, which does not stand above it")
            seen.add(layer.name)
            for base in (self.src / "allot" / layer.name, self.src / layer.name):
                if base.is_dir() or base.with_suffix(".h").is_file():
                    break
            else:
                self.report(self.table, layer.line, f"{layer.name} does not exist")
        for folder in sorted((self.src / "allot").iterdir()):
            if folder.is_dir() and folder.name not in self.layers:
                self.report(self.table, 1, f"the folder {folder.name} has no line")

    def resolve(self, path, quote, target):
        """The file in src that an include names, or None for a header of the system."""
        if quote == '"' and (path.parent / target).exists():
            return (path.parent / target).resolve()
        if re.match(r"^(allot|recorder|cli)/", target):
            return self.src / target
        return None

    def check_includes(self, path):
        layer, stem = self.owner(path)
        if layer is None:
            if path.parent != self.src / "allot":  # allot.hpp and allot.h collect all layers
                self.report(path, 1, "belongs to no layer of src/allot/LAYERS")
            return
        is_test = stem_of(path)[1]
        freestanding = stem in layer.freestanding and not is_test
        for number, text in enumerate(path.read_text().splitlines(), 1):
            match = INCLUDE.match(text)
            if not match:
                continue
            quote, target = match.groups()
            file = self.resolve(path, quote, target)
            if file is None:
                self.check_system_header(path, number, layer, freestanding, is_test, target)
            else:
                self.check_own_header(path, number, layer, freestanding, is_test, file, target)

    def check_own_header(self, path, number, layer, freestanding, is_test, file, target):
        if not file.is_file():
            self.report(path, number, f"includes {target}, which does not exist")
            return
        if layer.name == "c" and target == "allot/allot.h":  # what that layer implements
            return
        other, stem = self.owner(file)
        if other is None:
            self.report(path, number, f"includes {target}, which belongs to no layer")
            return
        allowed = other is layer or other.name in layer.allowed or f"{other.name}/{stem}" in layer.allowed
        if not allowed and not (is_test and other.name == "testing"):
            self.report(path, number, f"{layer.name} may not include {target} ({other.name})")
        elif freestanding and stem not in other.freestanding:
            self.report(path, number, f"a freestanding stem includes {target}, which is not freestanding")

    def check_system_header(self, path, number, layer, freestanding, is_test, target):
        in_library = (self.src / "allot") in path.parents
        if in_library and not is_test and layer.name != "platform" and SYSTEM.match(target):
            self.report(path, number, f"<{target}> outside platform")
        bare = (freestanding or layer.name == "recorder/preload") and not is_test
        if bare and target in HOSTED:
            self.report(path, number, f"freestanding code includes <{target}>, which needs libstdc++ at run time")

    def check_lists(self, folder):
        """Every file of a folder is listed by its CMakeLists.txt, every listed stem has a header."""
        lists = folder / "CMakeLists.txt"
        if not lists.is_file():
            return self.check_lists(folder.parent) if folder != self.src else None
        text = re.sub(r"#.*", "", lists.read_text())
        for path in sorted(folder.rglob("*")):
            if path.suffix not in SOURCE_ENDINGS or self.lists_of(path) != lists:
                continue
            stem, _ = stem_of(path)
            prefix = path.parent.relative_to(folder).as_posix()
            stem = stem if prefix == "." else f"{prefix}/{stem}"
            if not re.search(rf"(?<![\w/]){re.escape(stem)}(?!\w)", text) and not self.is_single(path):
                self.report(path, 1, f"{lists.relative_to(self.root)} does not list {stem}")
        for call in re.findall(r"allot_layer\(([^)]*)\)", text):
            self.check_layer_call(folder, lists, call.split())

    def is_single(self, path):
        return path.relative_to(self.src).as_posix()[: -len(path.suffix)] in self.layers

    def lists_of(self, path):
        folder = path.parent
        while not (folder / "CMakeLists.txt").is_file():
            folder = folder.parent
        return folder / "CMakeLists.txt"

    def check_layer_call(self, folder, lists, words):
        groups, name, keyword = {}, words[0], None
        for word in words[1:]:
            if word in ("STEMS", "DEPENDS", "LINK", "TEST_LINK"):
                keyword = word
            elif not word.startswith("$"):  # a variable's words stand where it is set
                groups.setdefault(keyword, []).append(word)
        for stem in groups.get("STEMS", []):
            if not any((folder / f"{stem}{ending}").is_file() for ending in (".hpp", ".h", "_test.cpp")):
                self.report(lists, 1, f"lists {stem}, which has neither header nor test")
        layer = self.layers.get(folder.relative_to(self.src).as_posix().removeprefix("allot/"))
        for other in groups.get("DEPENDS", []):
            entries = {entry.replace("/", "_") for entry in (layer.allowed if layer else [])}
            if layer and not any(entry == other or entry.startswith(other + "_") for entry in entries):
                self.report(lists, 1, f"{name} links {other} against LAYERS")

    def run(self):
        self.check_table()
        for path in self.sources():
            self.check_includes(path)
        for folder in sorted({p.parent for p in self.src.rglob("CMakeLists.txt")}):
            self.check_lists(folder)
        return self.findings


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: layers.py ROOT")
    checker = Checker(sys.argv[1])
    findings = checker.run()
    for finding in findings:
        print(finding)
    files = len(checker.sources())
    if files == 0:
        sys.exit("no source files found")
    print(f"{files} files, {len(checker.layers)} layers, {len(findings)} findings")
    sys.exit(1 if findings else 0)


if __name__ == "__main__":
    main()
