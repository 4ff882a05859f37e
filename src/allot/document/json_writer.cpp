#include <allot/document/json_writer.hpp>

#include <allot/document/json_place.hpp>
#include <allot/document/tree_page.hpp>
#include <allot/source/default_source.hpp>

#include <bit>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <optional>

namespace allot {
namespace detail {
namespace {

struct json_level {
    value_iterator next;
    value_iterator end;
    value member; // the one that is being written
    std::uint64_t index;
    bool is_object;
};
static_assert(std::is_trivially_copyable_v<json_level>);

// The containers that are open: the outermost in place, the others in a buffer.
class json_levels {
public:
    explicit json_levels(buffer& rest) noexcept : rest_(rest) { rest_.clear(); }

    std::uint64_t count() const noexcept { return count_; }
    bool empty() const noexcept { return count_ == 0; }
    json_level& operator[](std::uint64_t level) noexcept {
        if (level < inline_max) return inline_[level];
        return reinterpret_cast<json_level*>(rest_.data())[level - inline_max];
    }
    json_level& top() noexcept { return (*this)[count_ - 1]; }
    bool try_push(const json_level& level) noexcept {
        if (count_ < inline_max)
            inline_[count_] = level;
        else if (!rest_.try_append(std::as_bytes(std::span(&level, 1))))
            return false;
        ++count_;
        return true;
    }
    void pop() noexcept {
        if (--count_ >= inline_max) rest_.truncate(rest_.size() - sizeof(json_level));
    }

    static constexpr std::uint64_t inline_max = 32;

private:
    buffer& rest_;
    std::uint64_t count_ = 0;
    json_level inline_[inline_max];
};

// Whether one of 8 bytes is no plain ASCII: a quote, a backslash, a control character, or of a longer sequence.
bool has_special(std::uint64_t bytes) noexcept {
    constexpr std::uint64_t ones = 0x0101'0101'0101'0101;
    constexpr std::uint64_t high = 0x8080'8080'8080'8080;
    const std::uint64_t quote = bytes ^ (ones * '"');
    const std::uint64_t backslash = bytes ^ (ones * '\\');
    return ((bytes | (bytes - ones * 0x20) | (quote - ones) | (backslash - ones)) & high) != 0;
}

// What is written on its way to the sink.
class json_output {
public:
    explicit json_output(text_sink& sink) noexcept : sink_(sink) {}

    bool put(char c) noexcept {
        if (used_ == sizeof stage_ && !flush()) return false;
        stage_[used_++] = c;
        return true;
    }
    bool put(std::string_view text) noexcept {
        if (text.size() > sizeof stage_ - used_) {
            if (!flush()) return false;
            if (text.size() > sizeof stage_) return sink_.try_write(text);
        }
        std::memcpy(stage_ + used_, text.data(), text.size());
        used_ += text.size();
        return true;
    }
    bool flush() noexcept {
        const std::size_t size = std::exchange(used_, 0);
        return size == 0 || sink_.try_write({stage_, size});
    }

private:
    text_sink& sink_;
    std::size_t used_ = 0;
    char stage_[4096];
};

class json_writing {
public:
    json_writing(text_sink& sink, buffer& stack, const json_write_options& format) noexcept
        : out_(sink), levels_(stack), format_(format) {}

    result<void> write(value tree) noexcept {
        const bool is_done = write_tree(tree) && (!format_.ends_line || out_.put('\n')) && out_.flush();
        if (is_done) return {};
        if (!problem_ && !unread_) return shortage_error();
        allot::error failure = unread_ ? *unread_ : allot::error(problem_);
        if (const std::string_view at = path_.view(); !at.empty()) {
            char context[320];
            std::snprintf(context, sizeof context, "at %.*s", static_cast<int>(at.size()), at.data());
            failure.during(context);
        }
        return failure;
    }

private:
    bool write_tree(value at) noexcept {
        if (!put_value(at)) return false;
        while (!levels_.empty()) {
            json_level& top = levels_.top();
            if (top.next == top.end) {
                const char end = top.is_object ? '}' : ']';
                levels_.pop();
                if (!line_break() || !out_.put(end)) return false;
                continue;
            }
            at = top.member = *top.next;
            ++top.next;
            if (top.index++ != 0 && !out_.put(',')) return false;
            if (!line_break()) return false;
            if (top.is_object && !put_key(at.key())) return false;
            if (!put_value(at)) return false;
        }
        return true;
    }

    bool put_value(value at) noexcept {
        switch (at.type()) {
        case value_type::null: return out_.put("null");
        case value_type::boolean: return out_.put(at.as_bool() ? std::string_view("true") : "false");
        case value_type::integer: return put_number(at.as_int());
        case value_type::unsigned_integer: return put_number(at.as_uint());
        case value_type::real: return put_real(at.as_double());
        case value_type::text: return put_text(at.as_text());
        case value_type::array: return open(at, '[', "[]");
        case value_type::object: return open(at, '{', "{}");
        case value_type::none: return fail("there is no value to write");
        case value_type::paged_out: return put_page(at);
        default: return fail("what XML alone has (an element, a comment, CDATA) has no JSON form");
        }
    }

    bool put_page(value at) noexcept {
        const result<value> content = open_page(at);
        if (content) return put_value(*content); // a page has no page in it
        unread_ = content.error();
        return fail(nullptr);
    }

    bool open(value at, char start, std::string_view empty) noexcept {
        const value_range children = at.children();
        if (children.empty()) return out_.put(empty);
        if (!out_.put(start)) return false;
        return levels_.try_push({.next = children.begin(),
                                 .end = children.end(),
                                 .member = {},
                                 .index = 0,
                                 .is_object = at.is_object()});
    }

    bool line_break() noexcept {
        if (format_.indent == 0) return true;
        constexpr std::string_view blanks = "                                ";
        if (!out_.put('\n')) return false;
        for (std::uint64_t left = levels_.count() * format_.indent; left != 0;) {
            const std::string_view part = blanks.substr(0, left);
            if (!out_.put(part)) return false;
            left -= part.size();
        }
        return true;
    }

    bool put_key(std::string_view key) noexcept {
        return put_text(key) && out_.put(format_.indent == 0 ? std::string_view(":") : ": ");
    }

    template <class Integer>
    bool put_number(Integer number) noexcept {
        char text[24];
        const char* const end = std::to_chars(text, text + sizeof text, number).ptr;
        return out_.put({text, static_cast<std::size_t>(end - text)});
    }

    bool put_real(double number) noexcept {
        if (!std::isfinite(number))
            return fail(std::isnan(number) ? "JSON has no NaN" : "JSON has no infinity");
        char text[40];
        char* end = std::to_chars(text, text + sizeof text - 2, number).ptr;
        const std::string_view digits(text, static_cast<std::size_t>(end - text));
        if (digits.find_first_of(".e") == std::string_view::npos) { // or it would read back as an integer
            *end++ = '.';
            *end++ = '0';
        }
        return out_.put({text, static_cast<std::size_t>(end - text)});
    }

    bool put_text(std::string_view text) noexcept {
        if (!out_.put('"')) return false;
        while (!text.empty()) {
            const std::size_t plain = plain_bytes(text);
            if (plain != 0 && !out_.put(text.substr(0, plain))) return false;
            text.remove_prefix(plain);
            if (text.empty()) break;
            if (static_cast<unsigned char>(text.front()) >= 0x80) return fail("a text that is not UTF-8");
            if (!put_escape(text.front())) return false;
            text.remove_prefix(1);
        }
        return out_.put('"');
    }

    // How many of the first bytes stand for themselves.
    static std::size_t plain_bytes(std::string_view text) noexcept {
        std::size_t at = 0;
        while (at != text.size()) {
            std::uint64_t next = 0;
            if (text.size() - at >= sizeof next) {
                std::memcpy(&next, text.data() + at, sizeof next);
                if (!has_special(next)) {
                    at += sizeof next;
                    continue;
                }
            }
            const auto c = static_cast<unsigned char>(text[at]);
            if (c < 0x20 || c == '"' || c == '\\') return at;
            const std::size_t bytes = c < 0x80 ? 1 : utf8_bytes(text.substr(at));
            if (bytes == 0) return at;
            at += bytes;
        }
        return at;
    }

    bool put_escape(char c) noexcept {
        char text[8] = {'\\', c};
        switch (c) {
        case '"':
        case '\\': return out_.put({text, 2});
        case '\b': return out_.put("\\b");
        case '\f': return out_.put("\\f");
        case '\n': return out_.put("\\n");
        case '\r': return out_.put("\\r");
        case '\t': return out_.put("\\t");
        default:
            std::snprintf(text, sizeof text, "\\u%04x", static_cast<unsigned>(c));
            return out_.put({text, 6});
        }
    }

    bool fail(const char* what) noexcept {
        problem_ = what;
        for (std::uint64_t level = 0; level != levels_.count(); ++level) {
            if (level == json_levels::inline_max) {
                path_.cut();
                break;
            }
            const json_level& open = levels_[level];
            if (open.is_object)
                path_.add_key(open.member.key());
            else
                path_.add_index(open.index - 1);
        }
        return false;
    }

    json_output out_;
    json_levels levels_;
    json_write_options format_;
    const char* problem_ = nullptr; // nullptr while it fails: memory ran out, or
    std::optional<allot::error> unread_ = std::nullopt;
    pointer_text path_;
};

} // namespace
} // namespace detail

json_writer::json_writer(const json_writer_options& options) noexcept
    : stack_(options.upstream ? *options.upstream : default_source()), format_(options.format) {}

result<void> json_writer::write(text_sink& into, value tree) noexcept {
    return detail::json_writing(into, stack_, format_).write(tree);
}

bool json_writer::try_reserve(std::uint64_t depth) noexcept {
    constexpr std::uint64_t in_place = detail::json_levels::inline_max;
    return depth <= in_place || stack_.try_reserve((depth - in_place) * sizeof(detail::json_level));
}

result<void> write_json(text_sink& into, value tree, const json_write_options& options) noexcept {
    return json_writer({.format = options}).write(into, tree);
}

result<void> write_json(buffer& into, value tree, const json_write_options& options) noexcept {
    const std::size_t before = into.size();
    buffer_sink sink(into);
    result<void> done = write_json(sink, tree, options);
    if (!done) into.truncate(before);
    return done;
}

result<void> write_json(std::pmr::string& into, value tree, const json_write_options& options) noexcept {
    const std::size_t before = into.size();
    string_sink sink(into);
    result<void> done = write_json(sink, tree, options);
    if (!done) into.erase(before);
    return done;
}

result<std::string_view> write_json(std::span<char> into, value tree,
                                    const json_write_options& options) noexcept {
    span_sink sink(into);
    if (result<void> done = write_json(sink, tree, options); !done) return done.error();
    return sink.written();
}

} // namespace allot
