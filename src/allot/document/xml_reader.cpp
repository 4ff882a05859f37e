#include <allot/document/xml.hpp>

#include <allot/core/out_of_memory.hpp>
#include <allot/document/xml_lexer.hpp>
#include <allot/document/xml_tree.hpp>

#include <algorithm>
#include <cstdio>
#include <iterator>

namespace allot {
namespace {

bool is_blank(std::string_view text) noexcept {
    for (const char c : text)
        if (c != ' ' && c != '\n' && c != '\t' && c != '\r') return false;
    return true;
}

class xml_reader {
public:
    xml_reader(document& into, memory_source& memory, std::string_view text,
               const xml_read_options& options) noexcept
        : tree_(into, memory), how_(options), lexer_(text), text_(memory), value_(memory) {}

    bool read() noexcept { return prolog() && content() && epilog() && (tree_.commit(), true); }
    const detail::xml_problem& problem() const noexcept { return lexer_.problem(); }

private:
    bool prolog() noexcept;
    bool content() noexcept;
    bool epilog() noexcept;
    bool outside(bool& at_root) noexcept; // comments, instructions, blanks up to the '<' of something else
    bool doctype() noexcept;
    bool start_tag() noexcept;
    bool attribute(std::uint32_t& count) noexcept;
    bool end_tag() noexcept;
    bool markup() noexcept; // behind the '<' of a comment, CDATA, an instruction
    bool flush_text() noexcept { return (text_.empty() && !text_stays_) || put_text(); }
    bool put_text() noexcept;
    bool name(std::string_view& text, symbol& key) noexcept;
    [[gnu::noinline]] bool other_name(const detail::xml_word& word, std::string_view& text,
                                      symbol& key) noexcept;
    symbol interned(std::string_view name) noexcept;
    bool need(bool done) noexcept { return done || lexer_.fail_shortage(); }

    detail::xml_tree tree_;
    const xml_read_options& how_;
    detail::xml_lexer lexer_;
    detail::joined_text text_;  // of the innermost element, since its newest child
    detail::joined_text value_; // of an attribute, a comment
    bool text_stays_ = false;   // though it may be blank
    // Few names come again and again: this spares a look at each character, and a look-up in the interner.
    struct known_word {
        detail::xml_word word;
        symbol key;
    };
    static constexpr unsigned word_bits = 6;
    known_word words_[1 << word_bits] = {};
    struct known_name { // of a longer one
        std::string_view name;
        symbol key;
    };
    known_name names_[32] = {};
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
    while (tree_.depth() != 0) {
        if (!how_.keep_blank_texts && text_.empty()) lexer_.skip_indentation();
        if (!lexer_.next_is('<')) {
            if (!lexer_.text(text_)) return false;
            if (lexer_.at_end())
                return lexer_.fail(lexer_.at(), "the text ends within element", tree_.called());
        }
        const char which = lexer_.second();
        lexer_.skip('<');
        if (which == '/') {
            if (!end_tag()) return false;
        } else if (which == '!' || which == '?') {
            if (!markup()) return false;
        } else if (!flush_text() || !start_tag()) {
            return false;
        }
    }
    return true;
}

// The key is none on shortage.
[[gnu::always_inline]] inline bool xml_reader::name(std::string_view& text, symbol& key) noexcept {
    const detail::xml_word word = lexer_.word();
    const known_word& known = words_[word.slot(word_bits)];
    if (word.size == 0 || !(known.word == word)) return other_name(word, text, key);
    text = {lexer_.at(), word.size};
    lexer_.skip(word);
    key = known.key;
    return true;
}

bool xml_reader::start_tag() noexcept {
    const char* const start = lexer_.at() - 1;
    std::string_view called;
    symbol key;
    if (!name(called, key)) return false;
    if (tree_.depth() >= how_.depth_max) return lexer_.fail(start, "deeper than depth_max allows:", called);
    if (!need(key && tree_.begin(called, key))) return false;
    for (std::uint32_t attributes = 0;;) {
        const bool blanks = lexer_.skip_blanks();
        if (lexer_.skip('>')) return true;
        if (lexer_.skip("/>")) return need(tree_.end());
        if (lexer_.at_end()) return lexer_.fail(start, "a tag without its '>'");
        if (!blanks) return lexer_.fail(lexer_.at(), "a blank, '>' or '/>' is expected");
        if (!attribute(attributes)) return false;
    }
}

bool xml_reader::other_name(const detail::xml_word& word, std::string_view& text, symbol& key) noexcept {
    if (!lexer_.name(text)) return false;
    key = interned(text);
    if (key && text.size() == word.size) words_[word.slot(word_bits)] = {word, key};
    return true;
}

symbol xml_reader::interned(std::string_view name) noexcept {
    if (name.size() < 16) return tree_.intern(name);
    const std::size_t ends =
        static_cast<unsigned char>(name.front()) * 7U + static_cast<unsigned char>(name.back());
    known_name& known = names_[(name.size() * 31 + ends) % std::size(names_)];
    if (known.name != name) {
        const symbol key = tree_.intern(name);
        if (!key) return key;
        known = {name, key};
    }
    return known.key;
}

bool xml_reader::attribute(std::uint32_t& count) noexcept {
    const char* const start = lexer_.at();
    std::string_view called;
    symbol key;
    if (!name(called, key) || !lexer_.attribute_value(value_)) return false;
    if (!need(bool(key))) return false;
    if (tree_.has_attribute(key))
        return lexer_.fail(start, "the element has this attribute already:", called);
    if (++count > how_.attribute_count_max)
        return lexer_.fail(start, "more attributes than attribute_count_max allows");
    return need(tree_.attribute(key, value_.view()));
}

bool xml_reader::end_tag() noexcept {
    const char* const start = lexer_.at() - 1;
    lexer_.skip('/');
    const std::string_view due = tree_.called();
    if (!lexer_.skip_again(due)) return lexer_.fail(start, "not the end tag that is due, that of", due);
    if (!lexer_.skip('>')) {
        lexer_.skip_blanks();
        if (!lexer_.skip('>')) return lexer_.fail(start, "not the end tag that is due, that of", due);
    }
    return flush_text() && need(tree_.end());
}

bool xml_reader::put_text() noexcept {
    const std::string_view text = text_.view();
    const bool wanted = !text.empty() && (text_stays_ || how_.keep_blank_texts || !is_blank(text));
    if (wanted && !need(tree_.text(text))) return false;
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
        return !how_.keep_comments || (flush_text() && need(tree_.text(value_.view(), value_type::comment)));
    }
    if (lexer_.skip('?')) {
        if (!lexer_.instruction(target, value_)) return false;
        if (!how_.keep_instructions) return true;
        const symbol key = tree_.intern(target);
        return flush_text() && need(key && tree_.text(value_.view(), value_type::instruction, key));
    }
    if (!lexer_.skip("![CDATA["))
        return lexer_.fail(start, "neither a tag nor a comment, an instruction or CDATA");
    if (how_.keep_cdata)
        return lexer_.cdata(value_) && flush_text() && need(tree_.text(value_.view(), value_type::cdata));
    text_stays_ = true;
    return lexer_.cdata(text_);
}

error place_of(const detail::xml_problem& problem, std::string_view text) noexcept {
    if (!problem.at) return shortage_error();
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
