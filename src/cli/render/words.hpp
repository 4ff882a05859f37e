// words: texts from outside (names of functions, files, programs) made fit for a terminal.
//
// Use them on every such text before it is shown to people: a recording may come from anywhere. They never
// change what machines read (JSON has its own rules).
// Owns what it returns. Threads: safe. Cost: linear.
//
//     clean("a\x1b[31mb") == "a?[31mb";
//     width("größe") == 5;
//     fit("a_rather_long_name", 10) == "a_rat…name";
//     shell_word("my file") == "'my file'";
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace allot::cli {

// Valid UTF-8: control characters and broken sequences become `instead`.
std::string clean(std::string_view text, std::string_view instead = "?");

// Valid UTF-8 for machines: only broken sequences are replaced, by U+FFFD.
std::string valid_utf8(std::string_view text);

// Characters of valid UTF-8 (all are taken as one column wide).
std::size_t width(std::string_view text);

// At most `columns` wide; what is too long loses its middle. Expects: columns ≥ 1, valid UTF-8.
std::string fit(std::string_view text, std::size_t columns);

// The same, but what is too long loses its end.
std::string fit_start(std::string_view text, std::size_t columns);

// fit() for a function: first without its template arguments and parameters, then without its middle.
std::string fit_function(std::string_view function, std::size_t columns);

// fit() for a path: whole folders go first, from the left: "…/include/c++/12/bits/allocator.h".
std::string fit_path(std::string_view path, std::size_t columns);

// Padded with spaces to `columns`, on the left or on the right.
std::string left(std::string_view text, std::size_t columns);
std::string right(std::string_view text, std::size_t columns);

// As the shell reads it back: quoted where it must be.
std::string shell_word(std::string_view word);
std::string shell_words(const std::vector<std::string>& words);

std::string_view base_name(std::string_view path);

} // namespace allot::cli
