// json_from_xml: the tree of JSON that elements in the vocabulary of json-to-xml (XPath 3.1) stand for.
//
// Use it to get back what write_xml made of a tree of JSON, with all types: text "1" and number 1, "" and null, array
// and object stay apart. docs/format/xml-mapping.md has the vocabulary. Not for other XML, which is read as elements.
// Strict: no other element, no other attribute than `key` and `xmlns`, numbers as in JSON, integers exact or refused,
// each key once. Comments, instructions and blank texts are passed over.
// Borrows the elements; they may be the document's own, whose tree is replaced then.
// Threads: as the document. Nothing recurs.
//
// Errors; the document is as it was: "at 'sizes': this is no number in JSON", at the key of the innermost that has one.
// Shortage: who refused, as out_of_memory says it.
//
//     document tree;
//     auto done = read_xml(tree, "<map><number key='n'>1</number><string key='s'>1</string></map>");
//     done = json_from_xml(tree, tree.root());
//     assert(tree.root()["n"].as_int() == 1 && tree.root()["s"].as_text() == "1");
#pragma once

#include <allot/core/result.hpp>
#include <allot/document/document.hpp>

namespace allot {

[[nodiscard]] result<void> json_from_xml(document& into, value root) noexcept;

} // namespace allot
