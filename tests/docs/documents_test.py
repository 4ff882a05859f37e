#!/usr/bin/env python3
"""documents.py goes red: each case plants one wrong quotation or link in a small tree."""
import pathlib
import tempfile
import unittest

import documents

EXAMPLE = "int main() {\n    arena a;\n    a.reset();\n\n    a.release();\n}\n"


class DocumentsTest(unittest.TestCase):
    def findings(self, text):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            (root / "examples").mkdir()
            (root / "examples/a.cpp").write_text(EXAMPLE)
            (root / "examples/a.out").write_text("3 requests\n")
            (root / "a.md").write_text(text)
            checker = documents.Documents(root)
            checker.check(root / "a.md")
            return checker.findings

    def test_a_part_of_an_example_may_be_indented_otherwise(self):
        self.assertEqual(self.findings("```cpp\narena a;\na.reset();\n```\n"), [])

    def test_lines_may_be_left_out_where_it_says_so(self):
        self.assertEqual(self.findings("```cpp\narena a;\n// …\na.release();\n```\n"), [])

    def test_code_that_is_in_no_example(self):
        self.assertEqual(len(self.findings("Text.\n\n```cpp\narena b;\n```\n")), 1)
        self.assertIn("a.md:3", self.findings("Text.\n\n```cpp\narena b;\n```\n")[0])

    def test_lines_left_out_silently(self):
        self.assertEqual(len(self.findings("```cpp\narena a;\na.release();\n```\n")), 1)

    def test_output_that_no_example_prints(self):
        self.assertEqual(self.findings("```output\n3 requests\n```\n"), [])
        self.assertEqual(len(self.findings("```output\n4 requests\n```\n")), 1)

    def test_a_link_that_leads_nowhere(self):
        self.assertEqual(self.findings("[this](a.md#part) and [that](https://example.org)\n"), [])
        self.assertIn("gone.md", self.findings("see [this](gone.md)\n")[0])


if __name__ == "__main__":
    unittest.main()
