// xml_lexer: the grammar of XML 1.0, piece by piece: names, values, texts, comments; each checked to the byte.
//
// For xml.hpp alone: it knows no tree and no nesting. Borrows the input, which it never changes.
// Threads: a value. Nothing here recurs; memory is taken by joined_text alone.
#pragma once

#include <allot/structure/buffer.hpp>
#include <cstdint>
#include <string_view>

namespace allot::detail {

// A text made of pieces of the input, which stay: a view while it is one piece, a copy from the second on.
class joined_text {
public:
    explicit joined_text(memory_source& source) noexcept : copy_(source) {}

    void clear() noexcept {
        first_ = {};
        is_copy_ = false;
    }
    [[nodiscard]] bool try_append(std::string_view piece) noexcept {
        if (piece.empty()) return true;
        if (!is_copy_ && first_.empty()) {
            first_ = piece;
            return true;
        }
        return try_append_copy(piece);
    }
    // Of what does not stay.
    [[nodiscard]] bool try_append_copy(std::string_view piece) noexcept;
    std::string_view view() const noexcept { return is_copy_ ? copy_.text() : first_; }

private:
    buffer copy_;
    std::string_view first_;
    bool is_copy_ = false;
};

// Is there such a character in XML 1.0, as itself or as a reference?
bool is_xml_character(char32_t character) noexcept;
// Is the whole of it a name: letters, digits, . - _ : and those beyond ASCII, none of . - 0–9 in front?
bool is_xml_name(std::string_view text) noexcept;
// What no instruction may be called: xml, whatever the case.
bool is_xml_reserved(std::string_view target) noexcept;
// Bytes of the character at `at`, which is valid UTF-8 and of XML; 0 where it is not.
unsigned xml_character(const char* at, const char* end, char32_t& out) noexcept;

struct xml_problem {
    const char* what = nullptr; // nullptr: none
    const char* at = nullptr;   // nullptr: memory ran out
    std::string_view about = {};
};

class xml_lexer {
public:
    explicit xml_lexer(std::string_view text) noexcept : at_(text.data()), end_(text.data() + text.size()) {}

    const char* at() const noexcept { return at_; }
    bool at_end() const noexcept { return at_ == end_; }
    void rewind(const char* to) noexcept { at_ = to; } // to where it was
    const xml_problem& problem() const noexcept { return problem_; }
    // All of these: false, and problem() says what and where.
    bool fail(const char* at, const char* what, std::string_view about = {}) noexcept {
        problem_ = {what, at, about};
        return false;
    }
    bool fail_shortage() noexcept { return fail(nullptr, "out of memory"); }

    bool next_is(char wanted) const noexcept { return at_ != end_ && *at_ == wanted; }
    bool skip(char wanted) noexcept { return next_is(wanted) && (++at_, true); }
    bool skip(std::string_view wanted) noexcept;
    // Were there any?
    bool skip_blanks() noexcept;

    bool name(std::string_view& out) noexcept;
    // name="value", with the references in the value resolved and its line ends and tabs as spaces.
    bool attribute(std::string_view& name, joined_text& value) noexcept;
    // What stands before the next '<' or the end.
    bool text(joined_text& out) noexcept;
    // Behind "<!--", "<![CDATA[", "<?": all up to and with their ends.
    bool comment(joined_text& out) noexcept;
    bool cdata(joined_text& out) noexcept;
    bool instruction(std::string_view& target, joined_text& out) noexcept;
    // Behind "<?xml" and a blank: <?xml version="1.0" encoding="UTF-8" standalone="yes"?>
    bool declaration(joined_text& scratch) noexcept;
    // Behind "<!DOCTYPE": nothing of it is looked at but where it ends.
    bool skip_doctype() noexcept;

private:
    bool value(joined_text& out) noexcept;
    bool reference(joined_text& out) noexcept;
    bool number_reference(const char* start, joined_text& out) noexcept;
    bool section(std::string_view delimiter, const char* unended, joined_text& out) noexcept;
    bool skip_through(std::string_view delimiter, const char* unended) noexcept;
    bool line_end(const char* from, joined_text& out, std::string_view as) noexcept;
    bool skip_rare() noexcept; // a byte beyond ASCII or a control character
    bool declared(std::string_view name, joined_text& value, bool& found) noexcept;

    const char* at_;
    const char* end_;
    xml_problem problem_;
};

} // namespace allot::detail
