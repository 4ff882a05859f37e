#include <cli/render/words.hpp>

#include <allot/analysis/demangle.hpp>

#include <algorithm>

namespace allot::cli {
namespace {

bool continues(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

// Bytes of the sequence at the front, or 0 where it is no valid one (overlong forms and surrogates included).
std::size_t sequence_bytes(std::string_view text) {
    const auto at = [&text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned first = at(0);
    const std::size_t bytes = first < 0x80                    ? 1
                              : first >= 0xC2 && first < 0xE0 ? 2
                              : first >= 0xE0 && first < 0xF0 ? 3
                              : first >= 0xF0 && first < 0xF5 ? 4
                                                              : 0;
    if (bytes == 0 || bytes > text.size()) {
        return 0;
    }
    if (!std::all_of(text.begin() + 1, text.begin() + static_cast<std::ptrdiff_t>(bytes), continues)) {
        return 0;
    }
    const bool wrong = (first == 0xE0 && at(1) < 0xA0) || (first == 0xED && at(1) >= 0xA0) ||
                       (first == 0xF0 && at(1) < 0x90) || (first == 0xF4 && at(1) >= 0x90);
    return wrong ? 0 : bytes;
}

bool is_control(std::string_view sequence) {
    const auto first = static_cast<unsigned char>(sequence[0]);
    const auto second = sequence.size() > 1 ? static_cast<unsigned char>(sequence[1]) : 0;
    return first < 0x20 || first == 0x7F || (first == 0xC2 && second < 0xA0); // C0, DEL, C1
}

template <class Unwanted>
std::string replace(std::string_view text, std::string_view instead, const Unwanted& unwanted) {
    std::string out;
    out.reserve(text.size());
    while (!text.empty()) {
        const std::size_t bytes = sequence_bytes(text);
        const std::string_view sequence = text.substr(0, bytes == 0 ? 1 : bytes);
        out.append(bytes == 0 || unwanted(sequence) ? instead : sequence);
        text.remove_prefix(sequence.size());
    }
    return out;
}

// The first or last `columns` characters.
std::string_view head(std::string_view text, std::size_t columns) {
    std::size_t end = 0;
    for (; end < text.size() && (columns > 0 || continues(text[end])); ++end) {
        columns -= continues(text[end]) ? 0 : 1;
    }
    return text.substr(0, end);
}

std::string_view tail(std::string_view text, std::size_t columns) {
    const std::size_t all = width(text);
    return text.substr(head(text, all > columns ? all - columns : 0).size());
}

} // namespace

std::string clean(std::string_view text, std::string_view instead) {
    return replace(text, instead, is_control);
}

std::string valid_utf8(std::string_view text) {
    return replace(text, "\uFFFD", [](std::string_view) { return false; });
}

std::size_t width(std::string_view text) {
    return static_cast<std::size_t>(
        std::count_if(text.begin(), text.end(), [](char c) { return !continues(c); }));
}

std::string fit(std::string_view text, std::size_t columns) {
    if (width(text) <= columns) {
        return std::string(text);
    }
    const std::size_t last = (columns - 1) / 2;
    return std::string(head(text, columns - 1 - last)).append("…").append(tail(text, last));
}

std::string fit_start(std::string_view text, std::size_t columns) {
    return width(text) <= columns ? std::string(text) : std::string(head(text, columns - 1)) + "…";
}

std::string fit_function(std::string_view function, std::size_t columns) {
    return width(function) <= columns ? std::string(function) : fit(short_function_name(function), columns);
}

std::string fit_path(std::string_view path, std::size_t columns) {
    std::string_view rest = path;
    while (width(rest) + (rest.size() == path.size() ? 0 : 1) > columns) {
        const auto slash = rest.find('/', 1);
        if (slash == std::string_view::npos) {
            return fit(rest.substr(rest.find('/') + 1), columns);
        }
        rest.remove_prefix(slash);
    }
    return rest.size() == path.size() ? std::string(path) : "…" + std::string(rest);
}

std::string left(std::string_view text, std::size_t columns) {
    const std::size_t wide = width(text);
    return std::string(text).append(wide < columns ? columns - wide : 0, ' ');
}

std::string right(std::string_view text, std::size_t columns) {
    const std::size_t wide = width(text);
    return std::string(wide < columns ? columns - wide : 0, ' ').append(text);
}

std::string shell_word(std::string_view word) {
    constexpr std::string_view plain =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=./,:@%";
    if (!word.empty() && word.find_first_not_of(plain) == std::string_view::npos) {
        return std::string(word);
    }
    std::string quoted = "'";
    for (const char c : word) {
        quoted.append(c == '\'' ? std::string("'\\''") : std::string(1, c));
    }
    return quoted + "'";
}

std::string shell_words(const std::vector<std::string>& words) {
    std::string all;
    for (const std::string& word : words) {
        all.append(all.empty() ? "" : " ").append(shell_word(word));
    }
    return all;
}

std::string_view base_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

} // namespace allot::cli
