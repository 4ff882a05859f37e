#include <allot/document/xml_lexer.hpp>

#include <algorithm>
#include <array>
#include <cstring>

namespace allot::detail {
namespace {

enum : std::uint8_t {
    blank = 1,
    name_start = 2,
    name_part = 4,
    text_stop = 8,   // what a text may not go over without a look: < & ] \r, control characters, beyond ASCII
    value_stop = 16, // the same for a value between quotes: < & " ' blanks but the space …
    rare = 32,       // control characters that XML does not have, and bytes beyond ASCII
};

constexpr std::array<std::uint8_t, 256> classes = [] {
    std::array<std::uint8_t, 256> of{};
    const auto add = [&](std::string_view which, unsigned kind) {
        for (const char c : which) {
            std::uint8_t& to = of[static_cast<unsigned char>(c)];
            to = static_cast<std::uint8_t>(to | kind);
        }
    };
    for (unsigned c = 0; c != 256; ++c) {
        const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == ':';
        const bool further = (c >= '0' && c <= '9') || c == '-' || c == '.';
        if (letter) of[c] = name_start | name_part;
        if (further) of[c] = name_part;
        if (c < 0x20 || c >= 0x80) of[c] = rare | text_stop | value_stop;
    }
    for (const char c : std::string_view("\t\n\r")) of[static_cast<unsigned char>(c)] = blank;
    add(" ", blank);
    add("<&]\r", text_stop);
    add("<&\"'\t\n\r", value_stop);
    return of;
}();

constexpr bool is(char c, unsigned kind) noexcept {
    return (classes[static_cast<unsigned char>(c)] & kind) != 0;
}

constexpr bool is_within(char32_t c, char32_t first, char32_t last) noexcept {
    return c >= first && c <= last;
}

// NameStartChar beyond ASCII.
bool is_name_start(char32_t c) noexcept {
    return is_within(c, 0xC0, 0x2FF)     ? c != 0xD7 && c != 0xF7
           : is_within(c, 0x370, 0x1FFF) ? c != 0x37E
                                         : is_within(c, 0x200C, 0x200D) || is_within(c, 0x2070, 0x218F) ||
                                               is_within(c, 0x2C00, 0x2FEF) || is_within(c, 0x3001, 0xD7FF) ||
                                               is_within(c, 0xF900, 0xFDCF) || is_within(c, 0xFDF0, 0xFFFD) ||
                                               is_within(c, 0x10000, 0xEFFFF);
}
bool is_name_part(char32_t c) noexcept {
    return is_name_start(c) || c == 0xB7 || is_within(c, 0x300, 0x36F) || is_within(c, 0x203F, 0x2040);
}

const char* end_of_name(const char* at, const char* end) noexcept {
    const char* const start = at;
    for (;;) {
        while (at != end && is(*at, name_part)) ++at;
        char32_t c = 0;
        const unsigned bytes = at != end && is(*at, rare) ? xml_character(at, end, c) : 0;
        if (bytes < 2 || !(at == start ? is_name_start(c) : is_name_part(c))) break;
        at += bytes;
    }
    return at != start && (is(*start, name_start) || is(*start, rare)) ? at : start;
}

unsigned write_utf8(char32_t c, char (&out)[4]) noexcept {
    const auto tail = [](char32_t bits) { return static_cast<char>(0x80 | (bits & 0x3F)); };
    if (c < 0x80) return out[0] = static_cast<char>(c), 1;
    if (c < 0x800) return out[0] = static_cast<char>(0xC0 | (c >> 6)), out[1] = tail(c), 2;
    if (c < 0x10000)
        return out[0] = static_cast<char>(0xE0 | (c >> 12)), out[1] = tail(c >> 6), out[2] = tail(c), 3;
    return out[0] = static_cast<char>(0xF0 | (c >> 18)), out[1] = tail(c >> 12), out[2] = tail(c >> 6),
           out[3] = tail(c), 4;
}

bool is_same_word(std::string_view a, std::string_view b) noexcept { // ASCII, whatever the case
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [](char x, char y) { return (x >= 'A' && x <= 'Z' ? x + ('a' - 'A') : x) == y; });
}

} // namespace

bool joined_text::try_append_copy(std::string_view piece) noexcept {
    if (!is_copy_) {
        copy_.clear();
        if (!copy_.try_append(first_)) return false;
        is_copy_ = true;
    }
    return copy_.try_append(piece);
}

bool is_xml_character(char32_t c) noexcept {
    return is_within(c, 0x20, 0xD7FF) || c == '\t' || c == '\n' || c == '\r' ||
           is_within(c, 0xE000, 0xFFFD) || is_within(c, 0x10000, 0x10FFFF);
}

bool is_xml_name(std::string_view text) noexcept {
    const char* const end = text.data() + text.size();
    return !text.empty() && end_of_name(text.data(), end) == end;
}

bool is_xml_reserved(std::string_view target) noexcept { return is_same_word(target, "xml"); }

unsigned xml_character(const char* at, const char* end, char32_t& out) noexcept {
    const auto byte = [&](unsigned i) { return static_cast<std::uint8_t>(at[i]); };
    const std::uint8_t first = byte(0);
    const unsigned bytes = first < 0x80 ? 1 : first < 0xC2 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
    if (bytes == 0 || static_cast<std::size_t>(end - at) < bytes) return 0;
    char32_t c = bytes == 1 ? first : first & (0x7FU >> bytes);
    for (unsigned i = 1; i < bytes; ++i) {
        if ((byte(i) & 0xC0) != 0x80) return 0;
        c = (c << 6) | (byte(i) & 0x3F);
    }
    constexpr char32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    if (c < smallest[bytes] || !is_xml_character(c)) return 0;
    out = c;
    return bytes;
}

bool xml_lexer::skip_more_blanks() noexcept {
    const char* const start = at_;
    while (at_ != end_ && is(*at_, blank)) ++at_;
    return at_ != start;
}

void xml_lexer::skip_more_indentation() noexcept {
    if (!is(*at_, blank)) return;
    const char* stop = skip_xml_blanks(at_ + 1, end_);
    while (stop != end_ && is(*stop, blank)) ++stop;
    if (end_ - stop >= 2 && stop[0] == '<' && stop[1] != '!' && stop[1] != '?') at_ = stop;
}

bool xml_lexer::name(std::string_view& out) noexcept {
    const char* const stop = end_of_name(at_, end_);
    if (stop == at_) return fail(at_, "a name is expected");
    out = {at_, static_cast<std::size_t>(stop - at_)};
    at_ = stop;
    return true;
}

bool xml_lexer::skip_rare() noexcept {
    const auto byte = [&](unsigned i) { return static_cast<std::uint8_t>(at_[i]); };
    const auto follows = [&](unsigned i) { return (byte(i) & 0xC0) == 0x80; };
    const std::uint8_t first = byte(0);
    if (end_ - at_ >= 3) { // most of what is written: no surrogates, nothing overlong among these
        if (first >= 0xC2 && first < 0xE0 && follows(1)) return at_ += 2, true;
        if (first > 0xE0 && first < 0xED && follows(1) && follows(2)) return at_ += 3, true;
    }
    char32_t c = 0;
    const unsigned bytes = xml_character(at_, end_, c);
    if (bytes == 0)
        return fail(at_, static_cast<signed char>(*at_) < 0 ? "this is not UTF-8, or no character of XML"
                                                            : "a control character, which XML does not have");
    at_ += bytes;
    return true;
}

// \r\n and \r are \n.
bool xml_lexer::line_end(const char* from, joined_text& out, std::string_view as) noexcept {
    if (!out.try_append({from, static_cast<std::size_t>(at_ - from)}) || !out.try_append(as))
        return fail_shortage();
    ++at_;
    if (at_[-1] == '\r') skip('\n');
    return true;
}

bool xml_lexer::any_text(joined_text& out) noexcept {
    const char* from = at_;
    for (;;) {
        at_ = skip_xml_text(at_, end_, is_utf8_);
        while (at_ != end_ && !is(*at_, text_stop)) ++at_;
        if (at_ == end_ || *at_ == '<') break;
        if (*at_ == '&') {
            if (!out.try_append({from, static_cast<std::size_t>(at_ - from)})) return fail_shortage();
            if (!reference(out)) return false;
            from = at_;
        } else if (*at_ == '\r') {
            if (!line_end(from, out, "\n")) return false;
            from = at_;
        } else if (*at_ == ']') {
            if (std::string_view(at_, static_cast<std::size_t>(end_ - at_)).starts_with("]]>"))
                return fail(at_, "']]>' in a text is written ']]&gt;'");
            ++at_;
        } else if (!skip_rare()) {
            return false;
        }
    }
    return out.try_append({from, static_cast<std::size_t>(at_ - from)}) || fail_shortage();
}

bool xml_lexer::value(joined_text& out) noexcept {
    if (!next_is('"') && !next_is('\'')) return fail(at_, "a value between quotes is expected");
    const char* const start = at_;
    const char quote = *at_++;
    const char* from = at_;
    for (;;) {
        at_ = skip_xml_value(at_, end_, is_utf8_);
        while (at_ != end_ && !is(*at_, value_stop)) ++at_;
        if (at_ == end_) return fail(start, "a value without its closing quote");
        const char c = *at_;
        if (c == quote) break;
        if (c == '<') return fail(at_, "'<' in a value is written '&lt;'");
        if (c == '&') {
            if (!out.try_append({from, static_cast<std::size_t>(at_ - from)})) return fail_shortage();
            if (!reference(out)) return false;
            from = at_;
        } else if (is(c, blank)) {
            if (!line_end(from, out, " ")) return false;
            from = at_;
        } else if (c == '"' || c == '\'') {
            ++at_;
        } else if (!skip_rare()) {
            return false;
        }
    }
    if (!out.try_append({from, static_cast<std::size_t>(at_ - from)})) return fail_shortage();
    ++at_;
    return true;
}

bool xml_lexer::any_attribute_value(joined_text& value) noexcept {
    skip_blanks();
    if (!skip('=')) return fail(at_, "'=' is expected after the name of an attribute");
    skip_blanks();
    value.clear();
    return this->value(value);
}

bool xml_lexer::reference(joined_text& out) noexcept {
    const char* const start = at_++;
    if (skip('#')) return number_reference(start, out);
    const char* const stop = end_of_name(at_, end_);
    const std::string_view which(at_, static_cast<std::size_t>(stop - at_));
    if (which.empty()) return fail(start, "'&' by itself is written '&amp;'");
    at_ = stop;
    if (!skip(';')) return fail(start, "a reference without its ';'");
    constexpr std::string_view known[][2] = {
        {"lt", "<"}, {"gt", ">"}, {"amp", "&"}, {"quot", "\""}, {"apos", "'"}};
    for (const auto& [name, means] : known)
        if (which == name) return out.try_append(means) || fail_shortage();
    return fail(start, "an entity that is not lt, gt, amp, quot or apos (none can be declared):", which);
}

bool xml_lexer::number_reference(const char* start, joined_text& out) noexcept {
    const unsigned base = skip('x') ? 16 : 10;
    char32_t c = 0;
    const char* const digits = at_;
    for (; at_ != end_; ++at_) {
        const char d = *at_;
        const int digit = d >= '0' && d <= '9'                 ? d - '0'
                          : base == 16 && d >= 'a' && d <= 'f' ? d - 'a' + 10
                          : base == 16 && d >= 'A' && d <= 'F' ? d - 'A' + 10
                                                               : -1;
        if (digit < 0) break;
        c = std::min<char32_t>(c * base + static_cast<char32_t>(digit), 0x110000); // stays too large
    }
    if (at_ == digits || !skip(';'))
        return fail(start, "a character's number and ';' are expected after '&#'");
    if (!is_xml_character(c)) return fail(start, "the number of no character of XML");
    char bytes[4];
    return out.try_append_copy({bytes, write_utf8(c, bytes)}) || fail_shortage();
}

bool xml_lexer::section(std::string_view delimiter, const char* unended, joined_text& out) noexcept {
    const char* const start = at_;
    const char* from = at_;
    for (;;) {
        at_ = skip_xml_section(at_, end_, delimiter[0], is_utf8_);
        while (at_ != end_ && *at_ != delimiter[0] && !is(*at_, rare) && *at_ != '\r') ++at_;
        if (at_ == end_) return fail(start, unended);
        const char* const stop = at_;
        if (skip(delimiter))
            return out.try_append({from, static_cast<std::size_t>(stop - from)}) || fail_shortage();
        if (*at_ == '\r') {
            if (!line_end(from, out, "\n")) return false;
            from = at_;
        } else if (!is(*at_, rare)) {
            ++at_;
        } else if (!skip_rare()) {
            return false;
        }
    }
}

bool xml_lexer::comment(joined_text& out) noexcept {
    if (!section("--", "a comment without its '-->'", out)) return false;
    return skip('>') || fail(at_ - 2, "'--' within a comment");
}

bool xml_lexer::cdata(joined_text& out) noexcept {
    return section("]]>", "'<![CDATA[' without its ']]>'", out);
}

bool xml_lexer::instruction(std::string_view& target, joined_text& out) noexcept {
    const char* const start = at_;
    if (!name(target)) return false;
    if (is_xml_reserved(target))
        return fail(start, "'<?xml' stands at the very beginning of a document, or nowhere");
    if (!skip_blanks())
        return skip("?>") || fail(at_, "a blank is expected after the target of an instruction");
    return section("?>", "'<?' without its '?>'", out);
}

// One of the declaration's; not found is no failure.
bool xml_lexer::declared(std::string_view name, joined_text& value, bool& found) noexcept {
    const char* const before = at_;
    std::string_view got;
    found = false;
    if (!skip_blanks() || next_is('?')) return true;
    const char* const start = at_;
    if (!this->name(got) || !attribute_value(value)) return false;
    found = got == name;
    if (!found && (got == "version" || got == "encoding" || got == "standalone")) {
        at_ = before;
        return true;
    }
    return found || fail(start, "no part of an XML declaration:", got);
}

bool xml_lexer::declaration(joined_text& value) noexcept {
    bool found = false;
    const char* start = at_;
    if (!declared("version", value, found)) return false;
    if (!found || value.view().size() < 3 || !value.view().starts_with("1.") ||
        value.view().find_first_not_of("0123456789", 2) != std::string_view::npos)
        return fail(start, "an XML declaration begins with version=\"1.0\"");
    start = at_;
    if (!declared("encoding", value, found)) return false;
    if (found && !is_same_word(value.view(), "utf-8") && !is_same_word(value.view(), "us-ascii"))
        return fail(start, "only UTF-8 is read, not", value.view());
    start = at_;
    if (!declared("standalone", value, found)) return false;
    if (found && value.view() != "yes" && value.view() != "no")
        return fail(start, "standalone is \"yes\" or \"no\"");
    skip_blanks();
    return skip("?>") || fail(at_, "'?>' is expected at the end of the XML declaration");
}

bool xml_lexer::skip_through(std::string_view delimiter, const char* unended) noexcept {
    const std::string_view rest(at_, static_cast<std::size_t>(end_ - at_));
    const std::size_t found = rest.find(delimiter);
    if (found == std::string_view::npos) return fail(at_, unended);
    at_ += found + delimiter.size();
    return true;
}

bool xml_lexer::skip_doctype() noexcept {
    constexpr const char* unended = "'<!DOCTYPE' without its end";
    const char* const start = at_;
    bool inside = false;
    while (at_ != end_) {
        const char c = *at_;
        if (is(c, rare)) {
            if (!skip_rare()) return false;
        } else if (skip("<!--")) {
            if (!skip_through("-->", unended)) return false;
        } else if (skip("<?")) {
            if (!skip_through("?>", unended)) return false;
        } else {
            ++at_;
            if (c == '"' || c == '\'') {
                if (!skip_through({&c, 1}, unended)) return false;
            } else if (c == '[' || c == ']') {
                inside = c == '[';
            } else if (c == '>' && !inside) {
                return true;
            }
        }
    }
    return fail(start, unended);
}

} // namespace allot::detail
