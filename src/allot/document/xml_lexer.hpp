// xml_lexer: the grammar of XML 1.0, piece by piece: names, values, texts, comments; each checked to the byte.
//
// For xml.hpp alone: it knows no tree and no nesting. Borrows the input, which it never changes.
// Where the input as a whole has been found to be UTF-8, texts and values are gone through by 16 bytes (xml_scan), and
// beyond ASCII only what may be no character is looked at. Else each character is, to find the first that is wrong.
// Threads: a value. Nothing here recurs; memory is taken by joined_text alone.
#pragma once

#include <allot/document/xml_scan.hpp>
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
    // In place of what there is.
    void assign(std::string_view piece) noexcept {
        first_ = piece;
        is_copy_ = false;
    }
    // Of what does not stay.
    [[nodiscard]] bool try_append_copy(std::string_view piece) noexcept;
    bool empty() const noexcept { return !is_copy_ && first_.empty(); } // no copy is made of nothing
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
// Is all of it UTF-8? False also where nobody knows a quick way to find out.
bool is_surely_utf8(std::string_view text) noexcept;

struct xml_problem {
    const char* what = nullptr; // nullptr: none
    const char* at = nullptr;   // nullptr: memory ran out
    std::string_view about = {};
};

class xml_lexer {
public:
    explicit xml_lexer(std::string_view text) noexcept
        : at_(text.data()), end_(text.data() + text.size()), is_utf8_(is_surely_utf8(text)) {}

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
    // What the next name is if it is a short one that was a name before; then skip(word).
    xml_word word() const noexcept { return xml_word::at(at_, end_); }
    void skip(const xml_word& word) noexcept { at_ += word.size; }
    // Does this come next, which was read before?
    bool skip_again(std::string_view before) noexcept {
        if (!xml_repeats(at_, end_, before.data(), before.size())) return false;
        at_ += before.size();
        return true;
    }
    // Blanks in front of a start or end tag, which most often are indentation; none where anything else follows.
    void skip_indentation() noexcept {
        if (at_ != end_ && static_cast<unsigned char>(*at_) <= ' ') skip_more_indentation();
    }
    // Behind the next; 0 where there is none.
    char second() const noexcept { return end_ - at_ >= 2 ? at_[1] : '\0'; }
    bool skip(char wanted) noexcept { return next_is(wanted) && (++at_, true); }
    bool skip(std::string_view wanted) noexcept {
        if (static_cast<std::size_t>(end_ - at_) < wanted.size()) return false;
        if (std::memcmp(at_, wanted.data(), wanted.size()) != 0) return false;
        at_ += wanted.size();
        return true;
    }
    // Were there any?
    bool skip_blanks() noexcept {
        if (at_ == end_ || static_cast<unsigned char>(*at_) > ' ') return false;
        return skip_more_blanks();
    }

    bool name(std::string_view& out) noexcept;
    // Behind an attribute's name: ="value", with the references in it resolved and its line ends and tabs as spaces.
    bool attribute_value(joined_text& out) noexcept {
        if (end_ - at_ > 2 && at_[0] == '=' && (at_[1] == '"' || at_[1] == '\'')) {
            const char* const from = at_ + 2;
            const char* const stop = skip_xml_value(from, end_, is_utf8_);
            if (stop != end_ && *stop == at_[1]) { // as most are
                out.assign({from, static_cast<std::size_t>(stop - from)});
                at_ = stop + 1;
                return true;
            }
        }
        return any_attribute_value(out);
    }
    // What stands before the next '<' or the end is appended.
    bool text(joined_text& out) noexcept {
        if (out.empty()) {
            const char* const stop = skip_xml_text(at_, end_, is_utf8_);
            if (stop != end_ && *stop == '<') { // as most are
                out.assign({at_, static_cast<std::size_t>(stop - at_)});
                at_ = stop;
                return true;
            }
        }
        return any_text(out);
    }
    // Behind "<!--", "<![CDATA[", "<?": all up to and with their ends.
    bool comment(joined_text& out) noexcept;
    bool cdata(joined_text& out) noexcept;
    bool instruction(std::string_view& target, joined_text& out) noexcept;
    // Behind "<?xml" and a blank: <?xml version="1.0" encoding="UTF-8" standalone="yes"?>
    bool declaration(joined_text& scratch) noexcept;
    // Behind "<!DOCTYPE": nothing of it is looked at but where it ends.
    bool skip_doctype() noexcept;

private:
    bool skip_more_blanks() noexcept;
    void skip_more_indentation() noexcept;
    bool any_text(joined_text& out) noexcept;
    bool any_attribute_value(joined_text& out) noexcept;
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
    bool is_utf8_; // all of it
    xml_problem problem_;
};

} // namespace allot::detail
