// find_json_fault: where a text stops being JSON (RFC 8259), to the byte, and what should stand there.
//
// For json_reader alone: simdjson says that a text is wrong, this says where. Slower by far, and called only then.
// Strict, and agrees with simdjson on what is JSON (a test and a fuzzer compare them): numbers that a double or 64 bits
// cannot hold are faults, as are lone surrogates, a byte order mark and anything that is not UTF-8.
// Borrows the text and the stack's bits. Iterative; takes no memory. Threads: none shared.
// Cost: one pass over the text up to the fault, about 3 ns a byte, and one for the line.
#pragma once

#include <allot/core/result.hpp>
#include <cstdint>
#include <span>
#include <string_view>

namespace allot {

// Of a text: the line and column (in bytes) count from 1, the byte from 0. A line ends with its '\n'.
struct text_place {
    std::uint64_t byte = 0;
    std::uint64_t line = 1;
    std::uint64_t column = 1;
};

text_place place_of(std::string_view text, std::uint64_t byte) noexcept;

namespace detail {

struct json_limits {
    std::uint64_t depth_max = 0;   // containers within each other
    std::uint64_t stop_at_key = 0; // the key that is a fault although it is JSON, counted from 1; 0: none is
};

// A JSON Pointer for a message: "/users/3/name", cut behind its outermost steps where it is long; "" for the root.
class pointer_text {
public:
    // '~' and '/' become ~0 and ~1, a long key is cut.
    void add_key(std::string_view key) noexcept;
    void add_index(std::uint64_t index) noexcept;
    void cut() noexcept { add("/…"); } // there is more
    void clear() noexcept {
        size_ = 0;
        is_cut_ = false;
    }
    std::string_view view() const noexcept { return {text_, size_}; }

private:
    void add(std::string_view part) noexcept;

    char text_[256];
    std::size_t size_ = 0;
    bool is_cut_ = false;
};

// Bytes of the UTF-8 sequence that `text` begins with; 0 where it is none: too long, cut, a surrogate, beyond 10FFFF.
// Expects: text is not empty.
std::size_t utf8_bytes(std::string_view text) noexcept;

struct json_fault {
    text_place place;
    pointer_text path;
    char what[128] = {}; // "expected ',' or ']', found 'x'"

    // "line 3, column 7, byte 52, at /a/0: expected ',' or ']', found 'x'"
    allot::error as_error() const noexcept;
};

constexpr std::size_t json_stack_words(std::uint64_t depth_max) noexcept {
    return static_cast<std::size_t>(depth_max / 64 + 1);
}

// False: `text` is JSON within the limits. Expects: json_stack_words(limits.depth_max) words.
bool find_json_fault(std::string_view text, const json_limits& limits, std::span<std::uint64_t> stack,
                     json_fault& out) noexcept;

} // namespace detail
} // namespace allot
