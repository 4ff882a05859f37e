#include <allot/document/path.hpp>

#include <algorithm>
#include <charconv>
#include <iterator>

namespace allot {
namespace {

constexpr bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

// The index that a text of digits without leading zeros is, or no_position.
std::uint64_t index_of(const char* first, const char* last) noexcept {
    constexpr std::ptrdiff_t digits_max = 19; // no sum of so many overflows
    if (first == last || last - first > digits_max || (*first == '0' && last - first != 1))
        return path_step::no_position;
    std::uint64_t index = 0;
    for (; first != last; ++first) {
        if (!is_digit(*first)) return path_step::no_position;
        index = index * 10 + static_cast<std::uint64_t>(*first - '0');
    }
    return index;
}

// Which bytes end a run that stands for itself.
struct byte_set {
    constexpr byte_set(std::string_view bytes) noexcept {
        for (const char c : bytes) has[static_cast<unsigned char>(c)] = true;
    }
    bool has[256] = {};
};
constexpr byte_set ends_bare{".[]\\"}, ends_quoted{"\"\\"}, ends_token{"/~"}, ends_fragment_token{"/~%"};

const char* plain_end(const char* at, const char* end, const byte_set& ends) noexcept {
    while (at != end && !ends.has[static_cast<unsigned char>(*at)]) ++at;
    return at;
}

int hex_digit(char c) noexcept {
    if (is_digit(c)) return c - '0';
    const char lower = static_cast<char>(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// What an escape stands for: its byte and where it ends, or what is wrong with it.
struct unescaped_byte {
    char byte;
    const char* end; // nullptr: wrong
    const char* what;
};

unescaped_byte backslash(const char* at, const char* end, std::string_view known, const char* what) noexcept {
    if (at + 1 == end || known.find(at[1]) == known.npos) return {0, nullptr, what};
    return {at[1], at + 2, nullptr};
}

unescaped_byte percent(const char* at, const char* end) noexcept {
    const int high = end - at >= 3 ? hex_digit(at[1]) : -1;
    const int low = high >= 0 ? hex_digit(at[2]) : -1;
    if (low < 0) return {0, nullptr, "'%' needs two hexadecimal digits"};
    return {static_cast<char>(high * 16 + low), at + 3, nullptr};
}

// In a fragment the tilde itself, and what follows it, may be written as %XX.
unescaped_byte tilde(const char* at, const char* end, bool in_fragment) noexcept {
    constexpr const char* what = "'~' is followed by 0 or 1";
    if (at == end) return {0, nullptr, what};
    unescaped_byte next{*at, at + 1, nullptr};
    if (in_fragment && *at == '%') next = percent(at, end);
    if (!next.end) return next;
    if (next.byte != '0' && next.byte != '1') return {0, nullptr, what};
    return {next.byte == '0' ? '~' : '/', next.end, nullptr};
}

} // namespace

result<void> path::check() const noexcept {
    path_cursor steps(*this);
    for (path_step step; steps.next(step););
    return steps.check();
}

bool path_cursor::next(path_step& step) noexcept {
    if (at_ == end_ || wrong_) return false;
    return way_.how() == path::syntax::dotted ? next_dotted(step) : next_token(step);
}

result<void> path_cursor::check() const noexcept {
    if (wrong_) return error_at(wrong_column_, wrong_);
    return {};
}

error path_cursor::error_at(std::size_t column, std::string_view what) const noexcept {
    constexpr std::size_t shown_max = 160; // of a path; a longer one is cut
    char said[shown_max + 320];
    char* to = said;
    const auto say = [&to](std::string_view text, std::size_t size_max) noexcept {
        for (const char c : text.substr(0, size_max)) // a line stays a line
            *to++ = static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
    };
    say("path '", 6);
    say(way_.text(), shown_max);
    if (way_.text().size() > shown_max) say("...", 3);
    say("', column ", 10);
    to = std::to_chars(to, to + 20, column).ptr;
    say(": ", 2);
    say(what, static_cast<std::size_t>(std::end(said) - to));
    return error(std::string_view(said, static_cast<std::size_t>(to - said)));
}

bool path_cursor::wrong(const char* at, const char* what) noexcept {
    wrong_ = what;
    wrong_column_ = column_of(at);
    return false;
}

template <class IsEnd, class Escape>
bool path_cursor::unescape(const char* start, path_step& step, IsEnd is_end, Escape escape) noexcept {
    char* to = std::copy(start, at_, unescaped_);
    while (at_ != end_ && !is_end(*at_)) {
        if (to == unescaped_ + escaped_bytes_max) return wrong(start, "a name with escapes is too long");
        const unescaped_byte found = escape(at_);
        if (!found.end) return wrong(at_, found.what);
        *to++ = found.byte;
        at_ = found.end;
    }
    step.text = {unescaped_, static_cast<std::size_t>(to - unescaped_)};
    return true;
}

// Dotted.

bool path_cursor::next_dotted(path_step& step) noexcept {
    const bool is_first = !started_;
    started_ = true;
    step.column = column_of(at_);
    if (*at_ == '[') return bracket(step);
    if (!is_first) { // what ended the step before is '.', or what follows a bracket
        if (*at_ != '.') return wrong(at_, "'.' or '[' is missing");
        ++at_;
        step.column = column_of(at_);
    }
    if (at_ != end_ && *at_ == '@') {
        ++at_;
        if (!bare_name(step)) return false;
        if (at_ != end_) return wrong(at_, "nothing follows an attribute");
        step.kind = path_step::attribute;
        step.position = path_step::no_position;
        return true;
    }
    return bare_name(step);
}

bool path_cursor::bare_name(path_step& step) noexcept {
    const auto is_end = [](char c) noexcept { return c == '.' || c == '['; };
    const char* const start = at_;
    at_ = plain_end(at_, end_, ends_bare);
    step.kind = path_step::name;
    if (at_ == end_ || is_end(*at_)) {
        if (at_ == start) return wrong(at_, "a name is missing");
        step.text = {start, static_cast<std::size_t>(at_ - start)};
        step.position = is_digit(*start) ? index_of(start, at_) : path_step::no_position;
        return true;
    }
    if (static_cast<std::size_t>(at_ - start) > escaped_bytes_max)
        return wrong(start, "a name with escapes is too long");
    step.position = path_step::no_position;
    return unescape(start, step, is_end, [this](const char* at) noexcept -> unescaped_byte {
        if (*at == ']') return {0, nullptr, "']' without '['"};
        if (*at != '\\') return {*at, at + 1, nullptr};
        return backslash(at, end_, ".[]@\\", "'\\' is followed by . [ ] @ or \\");
    });
}

bool path_cursor::bracket(path_step& step) noexcept {
    ++at_;
    if (at_ != end_ && *at_ == '"') {
        if (!quoted_name(step)) return false;
    } else if (!item_index(step)) {
        return false;
    }
    if (at_ == end_ || *at_ != ']') return wrong(at_, "']' is missing");
    ++at_;
    return true;
}

bool path_cursor::item_index(path_step& step) noexcept {
    const char* const start = at_;
    step.kind = path_step::item;
    step.text = {};
    if (at_ != end_ && *at_ == '-') {
        ++at_;
        step.position = path_step::end;
        return true;
    }
    while (at_ != end_ && is_digit(*at_)) ++at_;
    step.position = index_of(start, at_);
    if (step.position != path_step::no_position) return true;
    return wrong(start, at_ == start ? "'[' is followed by an index, '-' or a name in '\"'"
                                     : "an index has no leading zeros and at most 19 digits");
}

bool path_cursor::quoted_name(path_step& step) noexcept {
    const auto is_end = [](char c) noexcept { return c == '"'; };
    const char* const quote = at_++;
    const char* const start = at_;
    at_ = plain_end(at_, end_, ends_quoted);
    step.kind = path_step::name;
    step.position = path_step::no_position;
    if (at_ != end_ && *at_ == '\\') {
        if (static_cast<std::size_t>(at_ - start) > escaped_bytes_max)
            return wrong(start, "a name with escapes is too long");
        if (!unescape(start, step, is_end, [this](const char* at) noexcept -> unescaped_byte {
                if (*at != '\\') return {*at, at + 1, nullptr};
                return backslash(at, end_, "\"\\", "'\\' is followed by '\"' or \\");
            }))
            return false;
    } else {
        step.text = {start, static_cast<std::size_t>(at_ - start)};
    }
    if (at_ == end_) return wrong(quote, "'\"' is not closed");
    ++at_;
    return true;
}

// JSON Pointer.

bool path_cursor::next_token(path_step& step) noexcept {
    if (!started_) {
        started_ = true;
        if (*at_ != '/') return wrong(at_, "a JSON Pointer is empty or begins with '/'");
    }
    step.column = column_of(at_);
    const char* const start = at_ + 1; // behind the '/', where a token before has ended
    at_ = plain_end(at_ + 1, end_, in_fragment_ ? ends_fragment_token : ends_token);
    step.kind = path_step::name;
    if (at_ == end_ || *at_ == '/') [[likely]] {
        step.text = {start, static_cast<std::size_t>(at_ - start)};
    } else {
        if (static_cast<std::size_t>(at_ - start) > escaped_bytes_max)
            return wrong(start, "a name with escapes is too long");
        const auto is_end = [](char c) noexcept { return c == '/'; };
        if (!unescape(start, step, is_end, [this](const char* at) noexcept -> unescaped_byte {
                unescaped_byte next{*at, at + 1, nullptr};
                if (in_fragment_ && *at == '%') next = percent(at, end_);
                return next.end && next.byte == '~' ? tilde(next.end, end_, in_fragment_) : next;
            }))
            return false;
    }
    const char* const text = step.text.data();
    step.position = step.text == "-" ? path_step::end : index_of(text, text + step.text.size());
    return true;
}

} // namespace allot
