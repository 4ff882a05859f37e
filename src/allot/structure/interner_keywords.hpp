// keywords: the words of a language, for an interner to have from the beginning (interner::preload).
//
// Use them where the first thing asked of each name is whether it is a keyword: after a preload into an empty
// interner, index_of(symbol) < keywords::cpp.size() says so. Any other list does as well: a span of texts.
// Owns nothing: constants. In the alphabet's order, each once.
// Threads: constants.
//
//     interner names;
//     names.preload(keywords::cpp);
//     assert(names.index_of(names.intern("while")) < keywords::cpp.size());
//     assert(names.index_of(names.intern("whilst")) >= keywords::cpp.size());
#pragma once

#include <array>
#include <string_view>

namespace allot::keywords {

// Python 3.12's keyword.kwlist, then its softkwlist.
inline constexpr auto python = std::to_array<std::string_view>(
    {"False",    "None",   "True",  "and",  "as",     "assert",   "async",   "await", "break", "class",
     "continue", "def",    "del",   "elif", "else",   "except",   "finally", "for",   "from",  "global",
     "if",       "import", "in",    "is",   "lambda", "nonlocal", "not",     "or",    "pass",  "raise",
     "return",   "try",    "while", "with", "yield",  "_",        "case",    "match", "type"});

// C++20's, [lex.key] and the alternative tokens of [lex.digraph]; then final, import, module and override.
inline constexpr auto cpp = std::to_array<std::string_view>(
    {"alignas",     "alignof",  "and",        "and_eq",    "asm",       "auto",         "bitand",
     "bitor",       "bool",     "break",      "case",      "catch",     "char",         "char16_t",
     "char32_t",    "char8_t",  "class",      "co_await",  "co_return", "co_yield",     "compl",
     "concept",     "const",    "const_cast", "consteval", "constexpr", "constinit",    "continue",
     "decltype",    "default",  "delete",     "do",        "double",    "dynamic_cast", "else",
     "enum",        "explicit", "export",     "extern",    "false",     "float",        "for",
     "friend",      "goto",     "if",         "inline",    "int",       "long",         "mutable",
     "namespace",   "new",      "noexcept",   "not",       "not_eq",    "nullptr",      "operator",
     "or",          "or_eq",    "private",    "protected", "public",    "register",     "reinterpret_cast",
     "requires",    "return",   "short",      "signed",    "sizeof",    "static",       "static_assert",
     "static_cast", "struct",   "switch",     "template",  "this",      "thread_local", "throw",
     "true",        "try",      "typedef",    "typeid",    "typename",  "union",        "unsigned",
     "using",       "virtual",  "void",       "volatile",  "wchar_t",   "while",        "xor",
     "xor_eq",      "final",    "import",     "module",    "override"});

// The three literals, then names of members that many documents have.
inline constexpr auto json = std::to_array<std::string_view>(
    {"false",  "null",      "true",       "content",  "data",    "description", "email",
     "error",  "id",        "items",      "key",      "message", "method",      "name",
     "params", "path",      "properties", "required", "result",  "role",        "status",
     "text",   "timestamp", "title",      "type",     "url",     "value",       "version"});

} // namespace allot::keywords
