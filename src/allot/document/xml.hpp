// read_xml, write_xml: XML 1.0 as a tree of elements, strictly, within a limit, and back to the same bytes.
//
// Use them for what comes from outside: a configuration, a feed, a reply. They read all of a text that is there; it
// may be damaged or hostile. There are no entities beyond the five of XML, nothing is expanded and nothing fetched,
// so that a small text cannot become a large tree; nothing recurs, so that a deep one cannot end the stack. Not
// for HTML, not for validation, not for other encodings than UTF-8. A prefix is a part of a name: `svg:path`.
// The parser is its own: strictness needs every byte looked at, and a library's tree would stand beside ours, in
// memory that obeys no limit.
// The tree: an element is a value of type element with a name, attributes in their order (each a string) and children
//   in theirs: elements and strings. docs/format/xml-mapping.md has it all, and JSON as XML.
// Borrows the text and the document, whose memory it fills. What reading takes meanwhile, for texts with references or
//   line ends and for the names of open elements, comes from `scratch`; no block of it stays.
// Threads: as the document.
// Cost: see docs/numbers.md. The depth and the attributes of one element are limited, for they cost more than once.
//
// Errors: the tree is as it was. A text that is not well-formed: "line 3, column 7, byte 52: what is wrong", the
//   columns in bytes, all from 1, but for the byte's offset, from 0. Shortage: who refused, as out_of_memory says it.
//
//     document settings({.name = "settings"});
//     auto done = read_xml(settings, "<window title='Log &amp; more'><size>80</size></window>");
//     if (!done) return complain(done.error().text());
//     buffer text;
//     done = write_xml(text, settings.root());
//     assert(text.text() == "<window title=\"Log &amp; more\"><size>80</size></window>");
//     done = read_xml(settings, "<window>\n  <size>80</window>");
//     // done.error().text() == "line 2, column 11, byte 19: not the end tag that is due, that of 'size'"
#pragma once

#include <allot/core/result.hpp>
#include <allot/document/document.hpp>
#include <allot/structure/buffer.hpp>
#include <cstdint>
#include <string_view>

namespace allot {

enum class xml_doctype : std::uint8_t {
    refuse,
    skip, // to its end; what it declares is not there: a reference to its entities is an error
};

struct xml_read_options {
    std::uint64_t bytes_max = usage::unlimited; // of the text
    std::uint32_t depth_max = 1024;             // elements within each other
    std::uint32_t attribute_count_max = 256;    // of one element; the time grows with its square
    xml_doctype doctype = xml_doctype::refuse;
    // What is not kept leaves no trace: texts on both sides of a comment are one.
    bool keep_blank_texts = false; // those of nothing but blanks, as indentation is; CDATA always is a text
    bool keep_comments = false;    // within the root only, as the next
    bool keep_instructions = false;
    bool keep_cdata = false;          // as a value of its own type; else it is text like any other
    memory_source* scratch = nullptr; // borrowed, while reading: see above; nullptr: the document's upstream
};

[[nodiscard]] result<void> read_xml(document& into, std::string_view text,
                                    const xml_read_options& options = {}) noexcept;

struct xml_write_options {
    unsigned indent = 0; // blanks a level; 0: all in one line. An element with a text in it stays in one line
    bool declaration = false; // <?xml version="1.0" encoding="UTF-8"?>
};

// Appends to `out`, which is as it was after an error. Escapes are those of canonical XML, so that a text has one form.
// A value of JSON is written in the vocabulary of XPath's json-to-xml. Not written, but errors: names that are none
// in XML, characters that it does not have (most control characters), numbers that are not finite, and elements
// within JSON or the other way round.
[[nodiscard]] result<void> write_xml(buffer& out, value root, const xml_write_options& options = {}) noexcept;

} // namespace allot
