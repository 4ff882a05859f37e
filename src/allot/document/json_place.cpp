#include <allot/document/json_place.hpp>

#include <algorithm>
#include <charconv>
#include <cstdarg>
#include <cstdio>
#include <cstring>

namespace allot {

text_place place_of(std::string_view text, std::uint64_t byte) noexcept {
    const std::string_view before = text.substr(0, std::min<std::uint64_t>(byte, text.size()));
    const auto lines = static_cast<std::uint64_t>(std::count(before.begin(), before.end(), '\n'));
    const std::size_t last = before.rfind('\n');
    const std::size_t line_start = last == std::string_view::npos ? 0 : last + 1;
    return {.byte = before.size(), .line = lines + 1, .column = before.size() - line_start + 1};
}

namespace detail {

std::size_t utf8_bytes(std::string_view text) noexcept {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned first = byte(0);
    if (first < 0x80) return 1;
    const std::size_t size = first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
    if (size == 0 || text.size() < size) return 0;
    for (std::size_t i = 1; i != size; ++i)
        if ((byte(i) & 0xc0) != 0x80) return 0;
    if (first == 0xe0 && byte(1) < 0xa0) return 0;
    if (first == 0xed && byte(1) > 0x9f) return 0;
    if (first == 0xf0 && byte(1) < 0x90) return 0;
    if (first == 0xf4 && byte(1) > 0x8f) return 0;
    return size;
}

void pointer_text::add(std::string_view part) noexcept {
    constexpr std::string_view more = "/…";
    if (is_cut_) return;
    is_cut_ = part == more || size_ + part.size() + more.size() > sizeof text_;
    if (is_cut_) part = more;
    std::memcpy(text_ + size_, part.data(), part.size());
    size_ += part.size();
}

void pointer_text::add_index(std::uint64_t index) noexcept {
    char part[24] = {'/'};
    const char* const end = std::to_chars(part + 1, part + sizeof part, index).ptr;
    add({part, static_cast<std::size_t>(end - part)});
}

void pointer_text::add_key(std::string_view key) noexcept {
    constexpr std::string_view more = "…";
    char part[64] = {'/'};
    std::size_t used = 1;
    while (!key.empty()) {
        const std::size_t bytes = std::max<std::size_t>(utf8_bytes(key), 1);
        if (used + bytes + 1 + more.size() > sizeof part) {
            std::memcpy(part + used, more.data(), more.size());
            used += more.size();
            break;
        }
        if (key.front() == '~' || key.front() == '/') {
            part[used++] = '~';
            part[used++] = key.front() == '~' ? '0' : '1';
        } else {
            std::memcpy(part + used, key.data(), bytes);
            used += bytes;
        }
        key.remove_prefix(bytes);
    }
    add({part, used});
}

namespace {

bool is_digit(int c) noexcept { return c >= '0' && c <= '9'; }

int hex_value(int c) noexcept {
    if (is_digit(c)) return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

// Is a number that std::from_chars finds out of a double's range too large, rather than too close to zero?
bool is_too_large(std::string_view number) noexcept {
    const std::size_t exponent_at = number.find_first_of("eE");
    const std::string_view digits = number.substr(0, exponent_at);
    if (exponent_at == std::string_view::npos) return true; // a text as long as its number: 1000…0
    std::string_view exponent = number.substr(exponent_at + 1);
    const bool is_below_one = exponent.front() == '-';
    if (is_below_one || exponent.front() == '+') exponent.remove_prefix(1);
    std::int64_t power = 0;
    for (const char c : exponent) power = std::min<std::int64_t>(power * 10 + (c - '0'), INT64_C(1) << 50);
    // The place of the first digit that counts, from the point: 123.4 has 2, 0.01 has -2.
    const std::size_t point = std::min(digits.find('.'), digits.size());
    const std::size_t first = std::min(digits.find_first_of("123456789"), digits.size());
    const auto place = static_cast<std::int64_t>(point) - static_cast<std::int64_t>(first);
    return (is_below_one ? -power : power) + place > 0;
}

class json_walk {
public:
    json_walk(std::string_view text, const json_limits& limits, std::span<std::uint64_t> stack,
              json_fault& out) noexcept
        : text_(text), limits_(limits), stack_(stack), out_(out) {}

    bool is_json() noexcept {
        if (text_.starts_with("\xef\xbb\xbf"))
            return fail(0, "a byte order mark stands before the text: JSON has none");
        for (expected next = expected::value; next != expected::nothing;) {
            skip_space();
            switch (next) {
            case expected::value:
                if (!value(next)) return false;
                break;
            case expected::key:
                if (!key()) return false;
                next = expected::value;
                break;
            default:
                if (!after_value(next)) return false;
            }
        }
        return true;
    }

private:
    enum class expected : std::uint8_t { value, key, after_value, nothing };

    // Where the walk is within one of the outermost containers.
    struct step {
        std::size_t key_at = 0, key_size = 0;
        std::uint64_t index = 0;
        bool is_inside = false; // of a member, not between two
    };
    static constexpr std::size_t steps_max = 32;

    int peek(std::size_t ahead = 0) const noexcept {
        return at_ + ahead < text_.size() ? static_cast<unsigned char>(text_[at_ + ahead]) : -1;
    }
    void skip_space() noexcept {
        while (at_ != text_.size() && std::strchr(" \t\n\r", text_[at_]) && text_[at_] != '\0') ++at_;
    }
    bool in_object() const noexcept { return stack_[(depth_ - 1) / 64] >> ((depth_ - 1) % 64) & 1; }
    step& innermost() noexcept { return steps_[std::min<std::uint64_t>(depth_ - 1, steps_max)]; }

    bool value(expected& next) noexcept {
        next = expected::after_value;
        switch (peek()) {
        case '{': return open(true, '}', expected::key, next);
        case '[': return open(false, ']', expected::value, next);
        case '"': return string();
        case 't': return word("true");
        case 'f': return word("false");
        case 'n': return word("null");
        default:
            if (peek() == '-' || is_digit(peek())) return number();
            if (depth_ == 0 && peek() == -1) return fail(at_, "expected a value: the text is empty");
            return fail_expected("a value");
        }
    }

    bool open(bool is_object, char end, expected inside, expected& next) noexcept {
        if (depth_ == limits_.depth_max)
            return fail(at_, "more than %llu levels", static_cast<unsigned long long>(limits_.depth_max));
        ++at_;
        ++depth_;
        const std::uint64_t bit = UINT64_C(1) << ((depth_ - 1) % 64);
        std::uint64_t& word = stack_[(depth_ - 1) / 64];
        word = is_object ? word | bit : word & ~bit;
        innermost() = {};
        skip_space();
        if (peek() == end) return close();
        innermost().is_inside = !is_object;
        next = inside;
        return true;
    }

    bool close() noexcept {
        ++at_;
        --depth_;
        return true;
    }

    bool key() noexcept {
        innermost().is_inside = false;
        if (peek() != '"') return fail_expected("a key in quotes");
        const std::size_t start = at_;
        if (!string()) return false;
        if (++key_count_ == limits_.stop_at_key) return fail(start, "this key is there already");
        innermost() = {.key_at = start + 1, .key_size = at_ - start - 2, .index = 0, .is_inside = true};
        skip_space();
        if (peek() != ':') return fail_expected("':'");
        ++at_;
        return true;
    }

    bool after_value(expected& next) noexcept {
        if (depth_ == 0) {
            if (at_ != text_.size()) return fail_expected("the end");
            next = expected::nothing;
            return true;
        }
        const bool is_object = in_object();
        if (peek() == (is_object ? '}' : ']')) return close();
        if (peek() != ',') {
            innermost().is_inside = false;
            return fail_expected(is_object ? "',' or '}'" : "',' or ']'");
        }
        ++at_;
        ++innermost().index;
        next = is_object ? expected::key : expected::value;
        return true;
    }

    bool word(std::string_view wanted) noexcept {
        if (text_.substr(at_, wanted.size()) != wanted)
            return fail(at_, "expected %.*s", static_cast<int>(wanted.size()), wanted.data());
        at_ += wanted.size();
        return true;
    }

    bool digits() noexcept {
        if (!is_digit(peek())) return fail_expected("a digit");
        while (is_digit(peek())) ++at_;
        return true;
    }

    bool number() noexcept {
        const std::size_t start = at_;
        if (peek() == '-') ++at_;
        if (peek() == '0' && is_digit(peek(1))) return fail(at_, "a number begins with a 0 too many");
        if (!digits()) return false;
        bool is_integer = true;
        if (peek() == '.') {
            is_integer = false;
            ++at_;
            if (!digits()) return false;
        }
        if (peek() == 'e' || peek() == 'E') {
            is_integer = false;
            ++at_;
            if (peek() == '+' || peek() == '-') ++at_;
            if (!digits()) return false;
        }
        const std::string_view whole = text_.substr(start, at_ - start);
        return is_integer ? integer_fits(start, whole) : double_fits(start, whole);
    }

    bool integer_fits(std::size_t start, std::string_view whole) noexcept {
        std::int64_t small = 0;
        std::uint64_t large = 0;
        const char* const end = whole.data() + whole.size();
        const std::errc code = whole.front() == '-' ? std::from_chars(whole.data(), end, small).ec
                                                    : std::from_chars(whole.data(), end, large).ec;
        return code == std::errc() || fail(start, "an integer that 64 bits cannot hold");
    }

    bool double_fits(std::size_t start, std::string_view whole) noexcept {
        double ignored = 0;
        const auto done = std::from_chars(whole.data(), whole.data() + whole.size(), ignored);
        return done.ec == std::errc() || !is_too_large(whole) ||
               fail(start, "a number that a double cannot hold");
    }

    bool string() noexcept {
        const std::size_t start = at_++;
        for (;;) {
            const int c = peek();
            if (c == '"') {
                ++at_;
                return true;
            }
            if (c == -1) return fail(start, "a string without its closing quote");
            if (c < 0x20) return fail(at_, "a control character in a string: write it as \\u%04x", c);
            if (c == '\\') {
                if (!escape()) return false;
            } else if (const std::size_t bytes = utf8_bytes(text_.substr(at_))) {
                at_ += bytes;
            } else {
                return fail(at_, "invalid UTF-8");
            }
        }
    }

    bool escape() noexcept {
        const int c = peek(1);
        if (c == 'u') return unicode_escape();
        if (c <= 0 || !std::strchr("\"\\/bfnrt", c)) return fail(at_, "no such escape");
        at_ += 2;
        return true;
    }

    bool unicode_escape() noexcept {
        const int first = code_unit(at_);
        if (first < 0) return fail(at_, "expected four hexadecimal digits after \\u");
        if (first >= 0xdc00 && first <= 0xdfff) return fail(at_, "the second half of a surrogate pair alone");
        if (first >= 0xd800 && first <= 0xdbff) {
            const int second = code_unit(at_ + 6);
            if (second < 0xdc00 || second > 0xdfff)
                return fail(at_, "the first half of a surrogate pair alone");
            at_ += 6;
        }
        at_ += 6;
        return true;
    }

    // The four digits of the \u that stands at `at`; -1 where none does.
    int code_unit(std::size_t at) const noexcept {
        if (text_.size() < at + 6 || text_[at] != '\\' || text_[at + 1] != 'u') return -1;
        int unit = 0;
        for (std::size_t i = at + 2; i != at + 6; ++i) {
            const int digit = hex_value(static_cast<unsigned char>(text_[i]));
            if (digit < 0) return -1;
            unit = unit * 16 + digit;
        }
        return unit;
    }

    bool fail_expected(const char* wanted) noexcept {
        const int c = peek();
        if (c == -1) return fail(at_, "expected %s, found the end", wanted);
        if (c < 0x20 || c >= 0x7f) return fail(at_, "expected %s, found the byte 0x%02x", wanted, c);
        return fail(at_, "expected %s, found '%c'", wanted, c);
    }

    [[gnu::format(printf, 3, 4)]] bool fail(std::size_t at, const char* format, ...) noexcept {
        std::va_list values;
        va_start(values, format);
        std::vsnprintf(out_.what, sizeof out_.what, format, values);
        va_end(values);
        out_.place = place_of(text_, at);
        out_.path.clear();
        write_path();
        return false;
    }

    void write_path() noexcept {
        for (std::uint64_t level = 0; level != depth_; ++level) {
            if (level == steps_max) return out_.path.cut();
            const step& at = steps_[level];
            if (!at.is_inside) return;
            const bool is_object = stack_[level / 64] >> (level % 64) & 1;
            if (is_object)
                out_.path.add_key(text_.substr(at.key_at, at.key_size));
            else
                out_.path.add_index(at.index);
        }
    }

    std::string_view text_;
    json_limits limits_;
    std::span<std::uint64_t> stack_; // a bit a level: is it an object?
    json_fault& out_;
    std::size_t at_ = 0;
    std::uint64_t depth_ = 0;
    std::uint64_t key_count_ = 0;
    step steps_[steps_max + 1]; // the last stands for all deeper ones
};

} // namespace

allot::error json_fault::as_error() const noexcept {
    char text[512];
    const std::string_view at = path.view();
    std::snprintf(text, sizeof text, "line %llu, column %llu, byte %llu%s%.*s: %s",
                  static_cast<unsigned long long>(place.line), static_cast<unsigned long long>(place.column),
                  static_cast<unsigned long long>(place.byte), at.empty() ? "" : ", at ",
                  static_cast<int>(at.size()), at.data(), what);
    return allot::error(text);
}

bool find_json_fault(std::string_view text, const json_limits& limits, std::span<std::uint64_t> stack,
                     json_fault& out) noexcept {
    return !json_walk(text, limits, stack, out).is_json();
}

} // namespace detail
} // namespace allot
