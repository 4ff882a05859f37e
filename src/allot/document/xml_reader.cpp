#include <allot/document/xml.hpp>

#include <allot/core/out_of_memory.hpp>
#include <allot/document/document_builder.hpp>
#include <allot/document/tree_stack.hpp>
#include <allot/document/xml_lexer.hpp>

#include <algorithm>
#include <cstdio>
#include <iterator>
#include <span>

namespace allot {
namespace {

// Of the attributes of one element.
class symbol_list {
public:
    explicit symbol_list(memory_source& source) noexcept : symbols_(source, alignof(symbol)) {}
    std::span<const symbol> all() const noexcept {
        return {reinterpret_cast<const symbol*>(symbols_.data()), count_};
    }
    bool try_push(symbol next) noexcept {
        if (symbols_.size() == count_ * sizeof next && !symbols_.try_extend(sizeof next)) return false;
        ::new (symbols_.data() + count_ * sizeof next) symbol(next);
        ++count_;
        return true;
    }
    void clear() noexcept { count_ = 0; }

private:
    buffer symbols_; // grows only
    std::size_t count_ = 0;
};

bool is_blank(std::string_view text) noexcept {
    for (const char c : text)
        if (c != ' ' && c != '\n' && c != '\t' && c != '\r') return false;
    return true;
}

class xml_reader {
public:
    xml_reader(document& into, memory_source& memory, std::string_view text,
               const xml_read_options& options) noexcept
        : build_(into),
          how_(options),
          lexer_(text),
          text_(memory),
          value_(memory),
          open_(memory),
          attributes_(memory) {}

    bool read() noexcept { return prolog() && content() && epilog() && need(build_.commit()); }
    const detail::xml_problem& problem() const noexcept { return lexer_.problem(); }

private:
    bool prolog() noexcept;
    bool content() noexcept;
    bool epilog() noexcept;
    bool outside(bool& at_root) noexcept; // comments, instructions, blanks up to the '<' of something else
    bool doctype() noexcept;
    bool start_tag() noexcept;
    bool attribute() noexcept;
    bool end_tag() noexcept;
    bool markup() noexcept; // behind the '<' of a comment, CDATA, an instruction
    bool flush_text() noexcept;
    symbol interned(std::string_view name) noexcept;
    bool need(bool done) noexcept { return done || lexer_.fail_shortage(); }

    document_builder build_;
    const xml_read_options& how_;
    detail::xml_lexer lexer_;
    detail::joined_text text_;                  // of the innermost element, since its newest child
    detail::joined_text value_;                 // of an attribute, a comment
    detail::tree_stack<std::string_view> open_; // names of elements
    symbol_list attributes_;
    bool text_stays_ = false; // though it may be blank
    struct known_name {
        std::string_view name;
        symbol key;
    };
    known_name known_[64] = {}; // few names come again and again: spares a look-up in the interner
};

bool xml_reader::outside(bool& at_root) noexcept {
    for (at_root = false;;) {
        lexer_.skip_blanks();
        if (lexer_.at_end()) return true;
        const char* const start = lexer_.at();
        value_.clear();
        std::string_view target;
        if (lexer_.skip("<!--")) {
            if (!lexer_.comment(value_)) return false;
        } else if (lexer_.skip("<?")) {
            if (!lexer_.instruction(target, value_)) return false;
        } else if (lexer_.skip("<!")) {
            return lexer_.rewind(start), true;
        } else if (lexer_.skip('<')) {
            return at_root = true;
        } else {
            return lexer_.fail(start, "text outside of the root element");
        }
    }
}

bool xml_reader::doctype() noexcept {
    const char* const start = lexer_.at();
    if (!lexer_.skip("<!DOCTYPE"))
        return lexer_.fail(start, lexer_.at_end() ? "there is no element" : "an element is expected");
    if (how_.doctype == xml_doctype::refuse)
        return lexer_.fail(start, "a document type, which is refused (xml_doctype::skip reads over it)");
    return lexer_.skip_doctype();
}

bool xml_reader::prolog() noexcept {
    lexer_.skip("\xEF\xBB\xBF");
    const char* const start = lexer_.at();
    if (lexer_.skip("<?xml")) {
        const char* const behind = lexer_.at();
        if (!lexer_.skip_blanks()) {
            lexer_.rewind(start); // <?xml-stylesheet
        } else {
            lexer_.rewind(behind);
            if (!lexer_.declaration(value_)) return false;
        }
    }
    bool at_root = false;
    if (!outside(at_root)) return false;
    if (at_root) return true;
    if (!doctype() || !outside(at_root)) return false;
    return at_root || lexer_.fail(lexer_.at(), "an element is expected");
}

bool xml_reader::epilog() noexcept {
    bool more = false;
    if (!outside(more)) return false;
    if (more) return lexer_.fail(lexer_.at() - 1, "a second root element");
    return lexer_.at_end() || lexer_.fail(lexer_.at(), "markup after the root element");
}

bool xml_reader::content() noexcept {
    if (!start_tag()) return false;
    while (!open_.empty()) {
        if (!lexer_.text(text_)) return false;
        if (lexer_.at_end()) return lexer_.fail(lexer_.at(), "the text ends within element", open_.top());
        lexer_.skip('<');
        if (lexer_.skip('/')) {
            if (!end_tag()) return false;
        } else if (lexer_.next_is('!') || lexer_.next_is('?')) {
            if (!markup()) return false;
        } else if (!flush_text() || !start_tag()) {
            return false;
        }
    }
    return true;
}

bool xml_reader::start_tag() noexcept {
    const char* const start = lexer_.at() - 1;
    std::string_view name;
    if (!lexer_.name(name)) return false;
    if (open_.size() >= how_.depth_max) return lexer_.fail(start, "deeper than depth_max allows:", name);
    const symbol key = interned(name);
    if (!need(key && build_.begin_element(key))) return false;
    attributes_.clear();
    for (;;) {
        const bool blanks = lexer_.skip_blanks();
        if (lexer_.skip('>')) return need(open_.try_push(name));
        if (lexer_.skip("/>")) return need(build_.end());
        if (lexer_.at_end()) return lexer_.fail(start, "a tag without its '>'");
        if (!blanks) return lexer_.fail(lexer_.at(), "a blank, '>' or '/>' is expected");
        if (!attribute()) return false;
    }
}

symbol xml_reader::interned(std::string_view name) noexcept {
    const std::size_t ends =
        static_cast<unsigned char>(name.front()) * 7U + static_cast<unsigned char>(name.back());
    known_name& known = known_[(name.size() * 31 + ends) % std::size(known_)];
    if (known.name != name) {
        const symbol key = build_.intern(name);
        if (!key) return key;
        known = {name, key};
    }
    return known.key;
}

bool xml_reader::attribute() noexcept {
    const char* const start = lexer_.at();
    std::string_view name;
    if (!lexer_.attribute(name, value_)) return false;
    const symbol key = interned(name);
    if (!need(bool(key))) return false;
    for (const symbol other : attributes_.all())
        if (other == key) return lexer_.fail(start, "the element has this attribute already:", name);
    if (attributes_.all().size() >= how_.attribute_count_max)
        return lexer_.fail(start, "more attributes than attribute_count_max allows");
    return need(attributes_.try_push(key) && build_.attribute(key, value_.view()));
}

bool xml_reader::end_tag() noexcept {
    const char* const start = lexer_.at() - 2;
    const std::string_view due = open_.top();
    if (!lexer_.skip(due)) return lexer_.fail(start, "not the end tag that is due, that of", due);
    lexer_.skip_blanks();
    if (!lexer_.skip('>')) return lexer_.fail(start, "not the end tag that is due, that of", due);
    open_.pop();
    return flush_text() && need(build_.end());
}

bool xml_reader::flush_text() noexcept {
    const std::string_view text = text_.view();
    const bool wanted = !text.empty() && (text_stays_ || how_.keep_blank_texts || !is_blank(text));
    if (wanted && !need(build_.text(text))) return false;
    text_.clear();
    text_stays_ = false;
    return true;
}

bool xml_reader::markup() noexcept {
    const char* const start = lexer_.at() - 1;
    value_.clear();
    std::string_view target;
    if (lexer_.skip("!--")) {
        if (!lexer_.comment(value_)) return false;
        return !how_.keep_comments || (flush_text() && need(build_.comment(value_.view())));
    }
    if (lexer_.skip('?')) {
        if (!lexer_.instruction(target, value_)) return false;
        return !how_.keep_instructions || (flush_text() && need(build_.instruction(target, value_.view())));
    }
    if (!lexer_.skip("![CDATA["))
        return lexer_.fail(start, "neither a tag nor a comment, an instruction or CDATA");
    if (how_.keep_cdata) return lexer_.cdata(value_) && flush_text() && need(build_.cdata(value_.view()));
    text_stays_ = true;
    return lexer_.cdata(text_);
}

error place_of(const detail::xml_problem& problem, std::string_view text) noexcept {
    if (!problem.at) return error(out_of_memory(last_refusal()).what());
    const auto at = static_cast<std::size_t>(problem.at - text.data());
    const std::string_view before = text.substr(0, at);
    const auto lines = static_cast<std::size_t>(std::count(before.begin(), before.end(), '\n'));
    const std::size_t line_start = before.rfind('\n') + 1; // npos + 1 is 0
    const std::string_view about = problem.about.substr(0, 100);
    char line[320];
    const int size = std::snprintf(line, sizeof line, "line %zu, column %zu, byte %zu: %s%s%.*s%s", lines + 1,
                                   at - line_start + 1, at, problem.what, about.empty() ? "" : " '",
                                   static_cast<int>(about.size()), about.data() ? about.data() : "",
                                   about.empty() ? "" : "'");
    return error({line, std::min(sizeof line - 1, static_cast<std::size_t>(size))});
}

} // namespace

result<void> read_xml(document& into, std::string_view text, const xml_read_options& options) noexcept {
    if (text.size() > options.bytes_max) {
        char what[96];
        const int size = std::snprintf(what, sizeof what, "%zu bytes of XML, where bytes_max allows %llu",
                                       text.size(), static_cast<unsigned long long>(options.bytes_max));
        return error({what, static_cast<std::size_t>(size)});
    }
    if (text.starts_with("\xFE\xFF") || text.starts_with("\xFF\xFE"))
        return error("line 1, column 1, byte 0: UTF-16, where only UTF-8 is read");
    xml_reader reader(into, options.scratch ? *options.scratch : into.upstream(), text, options);
    if (!reader.read()) return place_of(reader.problem(), text);
    return {};
}

} // namespace allot
