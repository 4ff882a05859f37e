// read_json, json_reader: JSON (RFC 8259) as a document's tree, strictly, within limits, parsed by simdjson.
//
// Use read_json for a text now and then, a json_reader for many: it keeps its memory, and after try_reserve(bytes) it
// takes none any more. For one value a line take json_lines.hpp; to write, json_writer.hpp. Not for a look at a few
// members of a large text that is dropped then: a tree of all of it is built.
// Strict: one value, nothing behind it but blanks; UTF-8 without a byte order mark; no comments, no trailing commas, no
// lone surrogates. Numbers: an integer is exact or, beyond 64 bits, an error; another number is the nearest double,
// an error where that is infinite and 0 where it is too small. "-0" is the integer 0, "-0.0" the double. Zeros (\u0000)
// may stand in texts.
// Borrows the text and the document. What is read goes to the document alone. Owns what reading takes meanwhile: a
// copy of the text and a bit a level from upstream; what simdjson takes (14 bytes a byte of text, 9 a level) comes from
// operator new, as it cannot be told otherwise. Threads: compatible.
// Cost: see docs/numbers.md. Nothing recurs. A text that is wrong is gone through twice more, to say where.
// Built without simdjson, every read is the error "allot was built without JSON: …".
//
// Errors; the tree is as it was: "line 3, column 7, byte 52, at /a/0: expected ',' or ']', found 'x'", the column in
// bytes, line and column from 1, the byte from 0; the path is that of the innermost value that it is in, as a JSON
// Pointer. "a text of N bytes, of which M may be read". Shortage: who refused, as out_of_memory says it.
//
//     document config({.name = "config"});
//     auto done = read_json(config, R"({"retries": 3, "hosts": ["a", "b"]})");
//     assert(done && config.root()["hosts"][1].as_text() == "b");
//     done = read_json(config, "{\"retries\": 3,\n \"hosts\": [\"a\" \"b\"]}");
//     assert(done.error().text() == "line 2, column 16, byte 30, at /hosts: expected ',' or ']', found '\"'");
//     assert(config.root()["retries"].as_int() == 3); // as it was
#pragma once

#include <allot/core/result.hpp>
#include <allot/document/document_builder.hpp>
#include <allot/document/json_place.hpp>
#include <allot/structure/buffer.hpp>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

namespace allot {

struct json_read_options {
    std::uint64_t bytes_max =
        usage::unlimited;           // of the text; never more than 4 GiB - 1, simdjson's own limit
    std::uint64_t depth_max = 1024; // containers within each other
    duplicate_keys duplicates = duplicate_keys::last;
    bool is_padded =
        false; // json_padding bytes behind the text may be read, whatever they are: it is not copied
};

inline constexpr std::size_t json_padding = 64;

// Was allot built with simdjson?
bool has_json() noexcept;

struct json_reader_options {
    memory_source* upstream = nullptr; // borrowed; nullptr: default_source()
    json_read_options read = {};
};

class json_reader {
public:
    // Takes nothing yet.
    explicit json_reader(const json_reader_options& options = {}) noexcept;
    ~json_reader();
    json_reader(const json_reader&) = delete;
    json_reader& operator=(const json_reader&) = delete;

    // Replaces the document's tree, or leaves it as it was.
    result<void> read(document& into, std::string_view text) noexcept { return read(into, text, {}); }
    // The same, of a text that is a part of a larger one and begins there: for the places in errors.
    result<void> read(document& into, std::string_view text, const text_place& start) noexcept;
    // Texts of so many bytes take no memory here any more. False on shortage.
    [[nodiscard]] bool try_reserve(std::uint64_t bytes) noexcept;
    // Of the newest error, where it has a place in the text.
    const std::optional<text_place>& place() const noexcept { return place_; }
    // What is held: from upstream and from operator new.
    std::uint64_t held_bytes() const noexcept;

private:
    struct parser; // simdjson's

    bool prepare(std::uint64_t bytes) noexcept;
    std::optional<std::string_view> padded(std::string_view text) noexcept;
    result<void> build(document& into, std::string_view text, const text_place& start) noexcept;
    allot::error fault_in(std::string_view text, std::uint64_t stop_at_key, const text_place& start,
                          const char* otherwise) noexcept;
    std::span<std::uint64_t> levels() noexcept;

    json_read_options options_;
    buffer copy_;                    // of the text, with padding behind it
    buffer levels_;                  // a bit a level: is it an object?
    std::unique_ptr<parser> parser_; // nullptr until the first text
    std::uint64_t capacity_ = 0;     // of parser_, in bytes of text
    std::optional<text_place> place_;
};

result<void> read_json(document& into, std::string_view text, const json_read_options& options = {}) noexcept;

} // namespace allot
