// write_json, json_writer: a tree as JSON (RFC 8259), on one line or indented.
//
// Use write_json for a text now and then, a json_writer for many: it keeps its stack. For XML take xml.hpp; elements,
// comments and instructions of a tree from XML have no JSON form and are refused, as docs/format/xml-mapping.md says.
// What it writes reads back as an equal tree: integers in full, reals in the fewest digits that give the same double
// (1.0, not 1; -0.0), members in their order. Texts stay UTF-8; only '"', '\' and control characters are escaped, so
// that a text that was written by write_json is written again byte for byte.
// Borrows the tree and the sink. Owns a stack for trees of more than 32 levels; nothing recurs (B43).
// Threads: compatible.
// Cost: see docs/numbers.md; one call of the sink per 4 KiB.
//
// Errors: "at /a/0: JSON has no infinity"; for a NaN, an XML element, a text that is not UTF-8, an empty
// value. Shortage: who refused, as out_of_memory says it. A buffer or string is then as it was; a sink may
// have got a part.
//
//     document config;
//     if (auto done = read_json(config, R"({"retries": 3, "hosts": ["a", "b"]})"); !done) return;
//     buffer text;
//     write_json(text, config.root()).value();
//     assert(text.text() == R"({"retries":3,"hosts":["a","b"]})");
//     text.clear();
//     write_json(text, config.root()["hosts"], {.indent = 2}).value();
//     assert(text.text() == "[\n  \"a\",\n  \"b\"\n]");
#pragma once

#include <allot/core/name.hpp>
#include <allot/core/result.hpp>
#include <allot/document/text_sink.hpp>
#include <allot/document/value.hpp>
#include <span>

namespace allot {

struct json_write_options {
    std::uint32_t indent = 0; // blanks a level; 0: all on one line, without any blank
    bool ends_line = false;   // a '\n' behind the last byte
};

struct json_writer_options {
    memory_source* upstream = nullptr; // borrowed; nullptr: default_source(). For the stack
    json_write_options format = {};
};

class json_writer {
public:
    // Takes nothing from upstream yet.
    explicit json_writer(const json_writer_options& options = {}) noexcept;

    result<void> write(text_sink& into, value tree) noexcept;
    // So many levels take no memory any more. False on shortage.
    [[nodiscard]] bool try_reserve(std::uint64_t depth) noexcept;

private:
    buffer stack_;
    json_write_options format_;
};

// Appended to what is there.
result<void> write_json(buffer& into, value tree, const json_write_options& options = {}) noexcept;
result<void> write_json(std::pmr::string& into, value tree, const json_write_options& options = {}) noexcept;
result<void> write_json(text_sink& into, value tree, const json_write_options& options = {}) noexcept;
// The text, at the beginning of `into`.
result<std::string_view> write_json(std::span<char> into, value tree,
                                    const json_write_options& options = {}) noexcept;

} // namespace allot
