#include <allot/analysis/demangle.hpp>

#include <cctype>
#include <cstdlib>
#include <memory>

#if ALLOT_HAS_LIBIBERTY
#    include <libiberty/demangle.h>
#else
#    include <cxxabi.h>
#endif

namespace allot {
namespace {

struct free_text {
    void operator()(char* text) const noexcept { std::free(text); }
};
using c_text = std::unique_ptr<char, free_text>;

c_text demangled_text(const char* symbol) {
#if ALLOT_HAS_LIBIBERTY
    // Rust first: its older names are well-formed C++ names too, but then keep their hash and their escapes.
    if (char* text = rust_demangle(symbol, DMGL_NO_OPTS)) return c_text(text);
    return c_text(cplus_demangle_v3(symbol, DMGL_PARAMS | DMGL_ANSI));
#else
    int status = 0;
    return c_text(abi::__cxa_demangle(symbol, nullptr, nullptr, &status));
#endif
}

// Where the bracket group that begins at `text[at]` ends: one past its closing bracket, or the end of the
// text.
std::size_t past_group(std::string_view text, std::size_t at) {
    int depth = 0;
    for (; at < text.size(); ++at) {
        const char c = text[at];
        if (c == '(' || c == '<' || c == '{' || c == '[') ++depth;
        const bool arrow = c == '>' && at > 0 && text[at - 1] == '-';
        if ((c == ')' || (c == '>' && !arrow) || c == '}' || c == ']') && --depth == 0) return at + 1;
    }
    return at;
}

constexpr std::string_view anonymous = "(anonymous namespace)";
constexpr std::string_view operator_word = "operator";

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

// Length of an operator's name at text[at], such as "operator()", "operator new[]" or "operator bool"; else
// 0.
std::size_t operator_length(std::string_view text, std::size_t at) {
    if (text.substr(at, operator_word.size()) != operator_word) return 0;
    if (at > 0 && is_word(text[at - 1])) return 0;
    std::size_t end = at + operator_word.size();
    if (end >= text.size() || is_word(text[end])) return 0;
    if (text.substr(end, 2) == "()") return end + 2 - at;
    if (text[end] != ' ') {
        // In "operator<<" the signs are the name, in "operator+<char>" they open the arguments.
        const bool of_signs = text[end] == '<';
        while (end < text.size() && text[end] != '(' && (text[end] != '<' || (of_signs && end - at < 10)) &&
               text[end] != ' ')
            ++end;
        return end - at;
    }
    // A conversion, new or delete: up to the parameters.
    while (end < text.size() && text[end] != '(') end = text[end] == '<' ? past_group(text, end) : end + 1;
    return end - at;
}

} // namespace

std::string demangle(std::string_view symbol) {
    const bool mangled = symbol.starts_with("_Z") || symbol.starts_with("_R") || symbol.starts_with("__Z");
    std::string name(symbol);
    if (!mangled) return name;
    if (const c_text text = demangled_text(name.c_str())) return text.get();
    return name;
}

std::string short_function_name(std::string_view text) {
    std::string name;
    std::size_t at = 0;
    while (at < text.size()) {
        const char c = text[at];
        if (const std::size_t length = operator_length(text, at); length != 0) {
            name += text.substr(at, length);
            at += length;
            if (text.substr(at, 2) == " <") at = past_group(text, at + 1);
        } else if (text.substr(at, anonymous.size()) == anonymous) {
            name += anonymous;
            at += anonymous.size();
        } else if (c == '<' && (name.empty() || text.substr(at, 7) == "<lambda")) {
            // Rust's "<T as Trait>::method", or a lambda's "<lambda()>": a part of the name, not an argument
            // list.
            const std::size_t end = past_group(text, at);
            name += text.substr(at, end - at);
            at = end;
        } else if (c == '{') {
            const std::size_t end = past_group(text, at);
            name += text.substr(at, end - at);
            at = end;
        } else if (c == '<') {
            at = past_group(text, at);
            if (name.ends_with("::")) name.resize(name.size() - 2); // Rust's turbofish
        } else if (c == '(') {
            // The parameters, unless this is a local entity: "outer(int)::inner".
            at = past_group(text, at);
            const std::size_t next = text.find("::", at);
            const bool local =
                next != std::string_view::npos && (next == at || text.substr(at, next - at) == " const");
            if (!local) break;
            at = next;
        } else if (c == '[' && text.substr(at, 4) == "[abi") {
            at = past_group(text, at);
        } else if (c == ' ' && !name.empty()) {
            name.clear(); // what came before was a return type
            ++at;
        } else {
            name += c;
            ++at;
        }
    }
    while (name.ends_with(' ')) name.pop_back();
    return name.empty() ? std::string(text) : name;
}

} // namespace allot
