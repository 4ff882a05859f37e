#include <allot/document/xml_json.hpp>

#include <allot/core/out_of_memory.hpp>
#include <allot/document/document_builder.hpp>
#include <allot/document/tree_stack.hpp>

#include <algorithm>
#include <charconv>
#include <cstdio>

namespace allot {
namespace {

bool is_blank(std::string_view text) noexcept {
    return text.find_first_not_of(" \t\n\r") == std::string_view::npos;
}
bool is_text(value it) noexcept { return it.is_text() || it.type() == value_type::cdata; }

struct open_container {
    value_iterator next;
    value_iterator end;
    bool is_map;
};

class json_maker {
public:
    explicit json_maker(document& into) noexcept
        : build_(into, duplicate_keys::refuse), open_(into.upstream()) {}

    bool make(value root) noexcept;
    error problem() const noexcept;

private:
    bool child(value it) noexcept;
    bool element(value it) noexcept;
    bool attributes(value it, bool in_map) noexcept;
    bool scalar(value it) noexcept;
    bool only_text(value it, std::string_view& out) noexcept;
    bool number(std::string_view text) noexcept;
    bool push(value it, bool is_map) noexcept;
    bool need(bool done) noexcept { return done || fail(nullptr); }
    bool fail(const char* what) noexcept {
        what_ = what;
        return false;
    }

    document_builder build_;
    detail::tree_stack<open_container> open_;
    const char* what_ = nullptr; // of a failure; nullptr: shortage
    std::string_view key_ = {};  // the newest
};

bool json_maker::make(value root) noexcept {
    if (!root.is_element()) return fail("this is no element");
    if (!element(root)) return false;
    while (!open_.empty()) {
        open_container& innermost = open_.top();
        if (innermost.next != innermost.end) {
            if (!child(*innermost.next++)) return false;
            continue;
        }
        open_.pop();
        if (build_.end()) continue;
        return fail(build_.duplicate_key() ? "a map has a key twice" : nullptr);
    }
    return need(build_.commit());
}

bool json_maker::child(value it) noexcept {
    if (it.is_element()) return element(it);
    return !is_text(it) || is_blank(it.as_text()) || fail("a text stands in a map or array");
}

bool json_maker::element(value it) noexcept {
    const std::string_view tag = it.key();
    if (!attributes(it, !open_.empty() && open_.top().is_map)) return false;
    if (tag == "map") return push(it, true);
    if (tag == "array") return push(it, false);
    return scalar(it);
}

bool json_maker::attributes(value it, bool in_map) noexcept {
    bool has_key = false;
    for (const value each : it.attributes()) {
        if (each.key() == "key" && in_map) {
            has_key = true;
            key_ = each.as_text();
            if (!need(build_.key(key_))) return false;
        } else if (each.key() != "xmlns") {
            return fail(each.key() == "key" ? "a key outside of a map"
                                            : "an attribute that JSON has no place for");
        }
    }
    return has_key || !in_map || fail("an element in a map has no key");
}

bool json_maker::push(value it, bool is_map) noexcept {
    const value_range children = it.children();
    return need((is_map ? build_.begin_object() : build_.begin_array()) &&
                open_.try_push({children.begin(), children.end(), is_map}));
}

bool json_maker::only_text(value it, std::string_view& out) noexcept {
    bool has_text = false;
    for (const value each : it.children()) {
        if (each.is_element()) return fail("an element stands in a string, number, boolean or null");
        if (!is_text(each)) continue;
        if (has_text) return fail("a text is in several pieces");
        has_text = true;
        out = each.as_text();
    }
    return true;
}

bool json_maker::scalar(value it) noexcept {
    const std::string_view tag = it.key();
    std::string_view text;
    if (!only_text(it, text)) return false;
    if (tag == "string") return need(build_.text(text));
    if (tag == "number") return number(text);
    if (tag == "boolean") {
        if (text != "true" && text != "false") return fail("a boolean is true or false");
        return need(build_.boolean(text == "true"));
    }
    if (tag != "null") return fail("none of map, array, string, number, boolean and null");
    return text.empty() ? need(build_.null()) : fail("a text stands in null");
}

// -? (0 | [1-9][0-9]*) (. [0-9]+)? ([eE] [+-]? [0-9]+)?
bool is_json_number(std::string_view text, bool& is_integer) noexcept {
    const auto digits = [&] {
        const std::size_t count = std::min(text.find_first_not_of("0123456789"), text.size());
        text.remove_prefix(count);
        return count;
    };
    const auto skip = [&](std::string_view any) {
        const bool there = !text.empty() && any.find(text[0]) != std::string_view::npos;
        if (there) text.remove_prefix(1);
        return there;
    };
    skip("-");
    const bool zero = text.starts_with('0');
    const std::size_t whole = digits();
    if (whole == 0 || (zero && whole != 1)) return false;
    is_integer = text.empty();
    if (skip(".") && digits() == 0) return false;
    if (skip("eE")) {
        skip("+-");
        if (digits() == 0) return false;
    }
    return text.empty();
}

bool json_maker::number(std::string_view text) noexcept {
    bool is_integer = false;
    if (!is_json_number(text, is_integer)) return fail("this is no number in JSON");
    const char* const end = text.data() + text.size();
    std::int64_t whole = 0;
    if (is_integer && std::from_chars(text.data(), end, whole).ec == std::errc())
        return need(build_.integer(whole));
    std::uint64_t large = 0;
    if (is_integer && std::from_chars(text.data(), end, large).ec == std::errc())
        return need(build_.unsigned_integer(large));
    if (is_integer) return fail("an integer of more than 64 bits");
    double real = 0;
    if (std::from_chars(text.data(), end, real).ec != std::errc())
        return fail("a number that no double holds");
    return need(build_.real(real));
}

error json_maker::problem() const noexcept {
    if (!what_) return shortage_error();
    if (key_.empty()) return error(what_);
    char where[128];
    const std::string_view key = key_.substr(0, 100);
    const int size =
        std::snprintf(where, sizeof where, "at '%.*s'", static_cast<int>(key.size()), key.data());
    return error(what_).during({where, static_cast<std::size_t>(size)});
}

} // namespace

result<void> json_from_xml(document& into, value root) noexcept {
    json_maker maker(into);
    if (maker.make(root)) return {};
    return maker.problem();
}

} // namespace allot
