#!/usr/bin/env python3
"""The layer test goes red: each case plants one violation in a small tree and expects exactly that finding."""
import pathlib
import tempfile
import unittest

import layers

TABLE = """
core                                freestanding: bytes
platform           core             freestanding: clock
analysis           core platform/clock
recorder/wire                       freestanding: wire
recorder/preload   recorder/wire core/bytes
cli                core platform analysis
"""

TREE = {
    "src/allot/LAYERS": TABLE,
    "src/allot/core/CMakeLists.txt": "allot_layer(core STEMS bytes result)",
    "src/allot/core/bytes.hpp": "#include <cstddef>\n#include <bit>\n",
    "src/allot/core/result.hpp": "#include <string>\n#include <allot/core/bytes.hpp>\n",
    "src/allot/core/result_test.cpp": "#include <allot/core/result.hpp>\n#include <sys/wait.h>\n",
    "src/allot/platform/CMakeLists.txt": "allot_layer(platform DEPENDS core STEMS clock pages)",
    "src/allot/platform/clock.hpp": "#include <allot/core/bytes.hpp>\n",
    "src/allot/platform/clock.cpp": "#include <allot/platform/clock.hpp>\n#include <sys/mman.h>\n",
    "src/allot/platform/pages.hpp": "#include <string>\n",
    "src/allot/analysis/CMakeLists.txt": "allot_layer(analysis DEPENDS core platform STEMS sites)",
    "src/allot/analysis/sites.hpp": "#include <allot/platform/clock.hpp>\n",
    "src/recorder/CMakeLists.txt": "add_subdirectory(preload)",
    "src/recorder/wire.h": "#include <stdint.h>\n",
    "src/recorder/preload/CMakeLists.txt": "add_library(allot_preload MODULE hooks.cpp ring.hpp)",
    "src/recorder/preload/hooks.cpp": '#include "ring.hpp"\n#include <recorder/wire.h>\n#include <unistd.h>\n',
    "src/recorder/preload/ring.hpp": "#include <allot/core/bytes.hpp>\n",
    "src/cli/CMakeLists.txt": "add_executable(allot_cli main.cpp commands/run.cpp)",
    "src/cli/main.cpp": "#include <allot/analysis/sites.hpp>\n#include <cli/commands/run.hpp>\n#include <unistd.h>\n",
    "src/cli/commands/run.hpp": "#include <string>\n",
    "src/cli/commands/run.cpp": '#include "run.hpp"\n',
}


def findings(changes):
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder).resolve()
        for name, text in {**TREE, **changes}.items():
            if text is None:
                continue
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return layers.Checker(root).run()


class LayersTest(unittest.TestCase):
    def expect(self, changes, *parts):
        found = findings(changes)
        self.assertEqual(len(found), 1, found)
        for part in parts:
            self.assertIn(part, found[0])

    def test_a_tree_that_keeps_the_laws_has_no_findings(self):
        self.assertEqual(findings({}), [])

    def test_an_include_that_climbs(self):
        self.expect({"src/allot/core/result.hpp": "#include <allot/analysis/sites.hpp>\n"},
                    "core/result.hpp:1", "core may not include allot/analysis/sites.hpp")

    def test_an_include_that_climbs_by_a_relative_path(self):
        self.expect({"src/allot/core/result.hpp": '#include "../platform/pages.hpp"\n'}, "core may not include")

    def test_a_stem_beside_the_permitted_one(self):
        self.expect({"src/allot/analysis/sites.hpp": "#include <allot/platform/pages.hpp>\n"},
                    "analysis may not include")

    def test_a_test_that_climbs(self):
        self.expect({"src/allot/core/result_test.cpp": "#include <allot/platform/clock.hpp>\n"},
                    "core may not include")

    def test_the_preload_library_includes_the_command_line(self):
        self.expect({"src/recorder/preload/ring.hpp": "#include <cli/commands/run.hpp>\n"},
                    "recorder/preload may not include")

    def test_a_header_that_is_not_there(self):
        self.expect({"src/allot/core/result.hpp": "#include <allot/core/absent.hpp>\n"}, "does not exist")

    def test_a_file_that_no_list_names(self):
        self.expect({"src/allot/core/stray.cpp": ""}, "src/allot/core/CMakeLists.txt does not list stray")

    def test_a_test_whose_stem_no_list_names(self):
        self.expect({"src/allot/core/stray_test.cpp": ""}, "does not list stray")

    def test_a_file_in_a_folder_below_that_no_list_names(self):
        self.expect({"src/cli/commands/report.cpp": ""}, "src/cli/CMakeLists.txt does not list commands/report")

    def test_a_listed_stem_without_a_header(self):
        self.expect({"src/allot/core/CMakeLists.txt": "allot_layer(core STEMS bytes result ghost)"},
                    "lists ghost, which has neither header nor test")

    def test_a_link_against_the_table(self):
        self.expect({"src/allot/core/CMakeLists.txt": "allot_layer(core DEPENDS analysis STEMS bytes result)"},
                    "core links analysis")

    def test_system_headers_outside_platform(self):
        for header in ("unistd.h", "sys/mman.h", "linux/futex.h", "pthread.h", "signal.h", "csignal"):
            self.expect({"src/allot/core/result.hpp": f"#include <{header}>\n"}, f"<{header}> outside platform")

    def test_a_freestanding_stem_that_needs_libstdcxx(self):
        self.expect({"src/allot/core/bytes.hpp": "#include <string>\n"}, "core/bytes.hpp:1", "<string>")
        self.expect({"src/allot/platform/clock.cpp": "  #  include <vector>\n"}, "platform/clock.cpp:1", "<vector>")

    def test_a_freestanding_stem_that_includes_one_that_is_not(self):
        self.expect({"src/allot/platform/clock.cpp": "#include <allot/platform/pages.hpp>\n"},
                    "not freestanding")

    def test_the_preload_library_needs_libstdcxx(self):
        self.expect({"src/recorder/preload/hooks.cpp": "#include <vector>\n"}, "<vector>")

    def test_a_table_that_climbs(self):
        self.expect({"src/allot/LAYERS": TABLE.replace("platform           core ", "platform           core analysis")},
                    "LAYERS:3", "names analysis, which does not stand above it")

    def test_a_folder_without_a_line(self):
        self.expect({"src/allot/extra/notes.txt": ""}, "the folder extra has no line")

    def test_a_line_without_a_folder(self):
        self.expect({"src/allot/LAYERS": TABLE + "ghost core\n"}, "ghost does not exist")

    def test_a_file_of_no_layer(self):
        self.expect({"src/tools/CMakeLists.txt": "x.cpp", "src/tools/x.cpp": ""}, "belongs to no layer")


if __name__ == "__main__":
    unittest.main()
