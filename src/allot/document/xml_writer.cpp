#include <allot/document/xml.hpp>

#include <allot/core/out_of_memory.hpp>
#include <allot/document/tree_page.hpp>
#include <allot/document/tree_stack.hpp>
#include <allot/document/xml_lexer.hpp>

#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <optional>

namespace allot {
namespace {

constexpr std::string_view json_namespace = "http://www.w3.org/2005/xpath-functions";

// What stands for a byte; as canonical XML has it, so that each text has one form.
std::string_view escape_of(char c, bool in_value) noexcept {
    switch (c) {
    case '&': return "&amp;";
    case '<': return "&lt;";
    case '>': return in_value ? std::string_view() : "&gt;";
    case '"': return in_value ? "&quot;" : std::string_view();
    case '\t': return in_value ? "&#x9;" : std::string_view();
    case '\n': return in_value ? "&#xA;" : std::string_view();
    case '\r': return "&#xD;";
    default: return {};
    }
}

constexpr std::array<bool, 256> plain = [] { // in texts and values both
    std::array<bool, 256> is{};
    for (unsigned c = 0x20; c != 0x80; ++c) is[c] = c != '&' && c != '<' && c != '>' && c != '"';
    return is;
}();

// A container whose children are being written.
struct open_container {
    value it;
    value_iterator next;
    value_iterator end;
    bool in_line; // nothing within it is indented
};

class xml_writer {
public:
    xml_writer(buffer& out, const xml_write_options& options) noexcept
        : out_(out), how_(options), open_(out.source()) {}

    bool write(value root) noexcept;
    error problem() noexcept;

private:
    bool read(value& it) noexcept; // what is paged out
    bool open(value it) noexcept;
    bool open_element(value it) noexcept;
    bool open_json(value it, std::string_view tag) noexcept;
    bool within_element(value it) noexcept;
    bool scalar(value it) noexcept;
    bool comment(value it) noexcept;
    bool cdata(value it) noexcept;
    bool instruction(value it) noexcept;
    bool push(value it) noexcept;
    bool close() noexcept;
    bool line(std::size_t depth) noexcept;
    bool attribute(std::string_view name, value it) noexcept;
    bool name(std::string_view name) noexcept;
    bool text(std::string_view text, bool in_value) noexcept;
    bool characters(std::string_view text) noexcept; // as they are; all must be of XML

    bool put(std::string_view bytes) noexcept { return out_.try_append(bytes) || fail(nullptr); }
    bool fail(const char* what) noexcept {
        what_ = what;
        return false;
    }
    std::size_t depth() const noexcept { return open_.size(); }
    open_container& top() noexcept { return open_.top(); }

    buffer& out_; // borrowed
    const xml_write_options& how_;
    detail::tree_stack<open_container> open_;
    const char* what_ = nullptr;
    std::optional<error> unread_ = std::nullopt;
};

std::string_view json_tag(value_type type) noexcept {
    switch (type) {
    case value_type::null: return "null";
    case value_type::boolean: return "boolean";
    case value_type::integer:
    case value_type::unsigned_integer:
    case value_type::real: return "number";
    case value_type::text: return "string";
    case value_type::array: return "array";
    case value_type::object: return "map";
    default: return {};
    }
}

// Blanks beside a text would become a part of it.
bool has_text_child(value it) noexcept {
    if (!it.is_element()) return false;
    for (const value child : it.children())
        if (const value_type type = child.type_within();
            type != value_type::element && type != value_type::comment && type != value_type::instruction)
            return true;
    return false;
}

bool xml_writer::write(value root) noexcept {
    if (!read(root)) return false;
    if (!root.is_element() && json_tag(root.type()).empty())
        return fail("the root of XML is an element, or a value of JSON");
    if (how_.declaration && !(put("<?xml version=\"1.0\" encoding=\"UTF-8\"?>") && line(0))) return false;
    if (!open(root)) return false;
    while (depth() != 0) {
        open_container& innermost = top();
        if (innermost.next == innermost.end) {
            if (!close()) return false;
            continue;
        }
        value child = *innermost.next++;
        if (!innermost.in_line && !line(depth())) return false;
        if (!read(child) || !open(child)) return false;
    }
    return how_.indent == 0 || put("\n");
}

// Each is done with before the next one is read.
bool xml_writer::read(value& it) noexcept {
    const result<value> content = detail::open_page(it);
    if (content) {
        it = *content;
        return true;
    }
    unread_ = content.error();
    return false;
}

bool xml_writer::open(value it) noexcept {
    const bool within = depth() != 0 && top().it.is_element();
    if (it.is_element()) {
        if (depth() != 0 && !within) return fail("an element within an array or object has no form in XML");
        return open_element(it);
    }
    return within ? within_element(it) : open_json(it, json_tag(it.type()));
}

bool xml_writer::open_element(value it) noexcept {
    if (!put("<") || !name(it.key())) return false;
    for (const value each : it.attributes())
        if (!attribute(each.key(), each)) return false;
    return push(it);
}

// As the function json-to-xml of XPath 3.1 has it.
bool xml_writer::open_json(value it, std::string_view tag) noexcept {
    if (tag.empty()) return fail("a comment, CDATA or an instruction stands within an element only");
    if (!put("<") || !put(tag)) return false;
    if (depth() == 0 && !(put(" xmlns=\"") && put(json_namespace) && put("\""))) return false;
    if (depth() != 0 && top().it.is_object() && !(put(" key=\"") && text(it.key(), true) && put("\"")))
        return false;
    if (is_container(it.type())) return push(it);
    if (it.is_null()) return put("/>");
    return put(">") && scalar(it) && put("</") && put(tag) && put(">");
}

bool xml_writer::within_element(value it) noexcept {
    switch (it.type()) {
    case value_type::comment: return comment(it);
    case value_type::cdata: return cdata(it);
    case value_type::instruction: return instruction(it);
    case value_type::null:
    case value_type::array:
    case value_type::object: return fail("null, an array or object within an element has no form in XML");
    default: return scalar(it);
    }
}

bool xml_writer::scalar(value it) noexcept {
    if (it.is_text()) return text(it.as_text(), false);
    if (it.is_bool()) return put(it.as_bool() ? "true" : "false");
    char digits[32];
    std::to_chars_result done{};
    if (it.type() == value_type::real) {
        if (!std::isfinite(it.as_double())) return fail("a number that is not finite has no form in XML");
        done = std::to_chars(digits, digits + sizeof digits - 2, it.as_double());
        if (std::string_view(digits, static_cast<std::size_t>(done.ptr - digits)).find_first_of(".e") ==
            std::string_view::npos)
            *done.ptr++ = '.', *done.ptr++ = '0'; // a real stays one
    } else if (it.type() == value_type::unsigned_integer) {
        done = std::to_chars(digits, digits + sizeof digits, it.as_uint());
    } else {
        done = std::to_chars(digits, digits + sizeof digits, it.as_int());
    }
    return put({digits, static_cast<std::size_t>(done.ptr - digits)});
}

bool xml_writer::comment(value it) noexcept {
    const std::string_view what = it.as_text();
    if (what.find("--") != std::string_view::npos || what.ends_with('-'))
        return fail("a comment may not contain '--', nor end in '-'");
    return put("<!--") && characters(what) && put("-->");
}

bool xml_writer::cdata(value it) noexcept {
    if (it.as_text().find("]]>") != std::string_view::npos) return fail("CDATA may not contain ']]>'");
    return put("<![CDATA[") && characters(it.as_text()) && put("]]>");
}

bool xml_writer::instruction(value it) noexcept {
    const std::string_view what = it.as_text();
    if (what.find("?>") != std::string_view::npos) return fail("an instruction may not contain '?>'");
    if (what.find_first_of(" \t\n\r") == 0) return fail("an instruction may not begin with a blank");
    if (detail::is_xml_reserved(it.key())) return fail("an instruction may not be called 'xml'");
    return put("<?") && name(it.key()) && (what.empty() || (put(" ") && characters(what))) && put("?>");
}

bool xml_writer::push(value it) noexcept {
    const value_range children = it.children();
    if (children.empty()) return put("/>");
    const bool in_line = how_.indent == 0 || (depth() != 0 && top().in_line) || has_text_child(it);
    return (open_.try_push({it, children.begin(), children.end(), in_line}) || fail(nullptr)) && put(">");
}

bool xml_writer::close() noexcept {
    const open_container gone = open_.pop();
    if (!gone.in_line && !line(depth())) return false;
    return put("</") && put(gone.it.is_element() ? gone.it.key() : json_tag(gone.it.type())) && put(">");
}

bool xml_writer::line(std::size_t depth) noexcept {
    if (how_.indent == 0) return true;
    constexpr std::string_view blanks = "                                ";
    if (!put("\n")) return false;
    for (std::size_t left = depth * how_.indent; left != 0;) {
        const std::string_view some = blanks.substr(0, left);
        if (!put(some)) return false;
        left -= some.size();
    }
    return true;
}

bool xml_writer::attribute(std::string_view called, value it) noexcept {
    if (!put(" ") || !name(called) || !put("=\"")) return false;
    return (it.is_text() ? text(it.as_text(), true) : within_element(it)) && put("\"");
}

bool xml_writer::name(std::string_view name) noexcept {
    return (detail::is_xml_name(name) || fail("this is no name in XML")) && put(name);
}

bool xml_writer::text(std::string_view text, bool in_value) noexcept {
    const char* from = text.data();
    const char* const end = from + text.size();
    for (const char* at = from;;) {
        while (at != end && plain[static_cast<unsigned char>(*at)]) ++at;
        if (at == end) return put({from, static_cast<std::size_t>(at - from)});
        const std::string_view escape = escape_of(*at, in_value);
        if (escape.empty()) {
            char32_t c = 0;
            const unsigned bytes = detail::xml_character(at, end, c);
            if (bytes == 0) return fail("a text holds bytes that are no character of XML");
            at += bytes;
            continue;
        }
        if (!put({from, static_cast<std::size_t>(at - from)}) || !put(escape)) return false;
        from = ++at;
    }
}

bool xml_writer::characters(std::string_view text) noexcept {
    const char* const end = text.data() + text.size();
    for (const char* at = text.data(); at != end;) {
        char32_t c = 0;
        const unsigned bytes = detail::xml_character(at, end, c);
        if (bytes == 0 || c == '\r')
            return fail("CDATA, a comment or an instruction holds a character that it cannot");
        at += bytes;
    }
    return put(text);
}

error xml_writer::problem() noexcept {
    if (unread_) return *unread_;
    if (!what_) return shortage_error();
    error made(what_);
    if (depth() != 0 && !top().it.key().empty()) {
        char where[128];
        const std::string_view key = top().it.key().substr(0, 100);
        const int size = std::snprintf(where, sizeof where, "within '%.*s'", static_cast<int>(key.size()),
                                       key.data() ? key.data() : "");
        made.during({where, static_cast<std::size_t>(size)});
    }
    return made;
}

} // namespace

result<void> write_xml(buffer& out, value root, const xml_write_options& options) noexcept {
    const std::size_t before = out.size();
    xml_writer writer(out, options);
    if (writer.write(root)) return {};
    out.truncate(before);
    return writer.problem();
}

} // namespace allot
