// xml_scan: 16 bytes of XML at once: how far a text, a value, a run of blanks goes, and what a short name is.
//
// For xml_lexer and xml_reader alone. Nothing is decided here that xml_lexer's table does not decide in the same way
// for a single byte: the scans stop at or before whatever needs a look, and at the latest less than 16 bytes before
// the end, where the table goes on. So nothing is read beyond the text.
// Borrows the bytes. Threads: values.
// Cost: some ten instructions for 16 bytes with SSE2, without a branch for any of them.
//
//     const char* at = skip_xml_text(text.data(), text.data() + text.size(), is_utf8);
//     // all before `at` are characters of a text that stand for themselves
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#if defined(__SSE2__)
#    include <emmintrin.h>
#endif

namespace allot::detail {

class xml_block {
public:
    using bytes = std::uint8_t __attribute__((vector_size(16)));
    static constexpr std::ptrdiff_t size = 16;

    static bytes load(const void* from) noexcept {
        bytes loaded;
        std::memcpy(&loaded, from, sizeof loaded);
        return loaded;
    }
    // Of the result of a comparison: which byte is the first that it holds for; 16 where it holds for none.
    template <class Truths>
    static unsigned first_of(Truths truths) noexcept {
#if defined(__SSE2__)
        const auto bits = static_cast<unsigned>(_mm_movemask_epi8(reinterpret_cast<__m128i>(truths)));
        return static_cast<unsigned>(std::countr_zero(bits | 0x10000U));
#else
        std::int8_t each[16];
        std::memcpy(each, &truths, sizeof each);
        unsigned at = 0;
        while (at != 16 && each[at] == 0) ++at;
        return at;
#endif
    }
};

// Where the blocks end, within a character perhaps, in a text that is UTF-8: back to its first byte.
inline const char* xml_character_start(const char* at, const char* end, bool is_utf8) noexcept {
    while (is_utf8 && at != end && (static_cast<unsigned char>(*at) & 0xC0) == 0x80) --at;
    return at;
}

// To the first that is < & ] or a control character but for tab and line feed, or that may begin U+FFFE or U+FFFF;
// where the text has not been found to be UTF-8, to the first beyond ASCII.
inline const char* skip_xml_text(const char* at, const char* end, bool is_utf8) noexcept {
    const auto beyond = static_cast<std::uint8_t>(is_utf8 ? 0xEF : 0x80);
    for (; end - at >= xml_block::size; at += xml_block::size) {
        const auto c = xml_block::load(at);
        const auto high = is_utf8 ? c == beyond : c >= beyond;
        const unsigned stop = xml_block::first_of((c == '<') | (c == '&') | (c == ']') | high |
                                                  ((c < 0x20) & (c != '\n') & (c != '\t')));
        if (stop != 16) return at + stop;
    }
    return xml_character_start(at, end, is_utf8);
}

// The same for a value between quotes: to the first that is < & " ' or a control character.
inline const char* skip_xml_value(const char* at, const char* end, bool is_utf8) noexcept {
    const auto beyond = static_cast<std::uint8_t>(is_utf8 ? 0xEF : 0x80);
    for (; end - at >= xml_block::size; at += xml_block::size) {
        const auto c = xml_block::load(at);
        const auto high = is_utf8 ? c == beyond : c >= beyond;
        const unsigned stop =
            xml_block::first_of((c == '<') | (c == '&') | (c == '"') | (c == '\'') | high | (c < 0x20));
        if (stop != 16) return at + stop;
    }
    return xml_character_start(at, end, is_utf8);
}

// The same for a comment and its like: to the first that is `delimiter` or a control character as above.
inline const char* skip_xml_section(const char* at, const char* end, char delimiter, bool is_utf8) noexcept {
    const auto last = static_cast<std::uint8_t>(delimiter);
    const auto beyond = static_cast<std::uint8_t>(is_utf8 ? 0xEF : 0x80);
    for (; end - at >= xml_block::size; at += xml_block::size) {
        const auto c = xml_block::load(at);
        const auto high = is_utf8 ? c == beyond : c >= beyond;
        const unsigned stop =
            xml_block::first_of((c == last) | high | ((c < 0x20) & (c != '\n') & (c != '\t')));
        if (stop != 16) return at + stop;
    }
    return xml_character_start(at, end, is_utf8);
}

inline const char* skip_xml_blanks(const char* at, const char* end) noexcept {
    for (; end - at >= xml_block::size; at += xml_block::size) {
        const auto c = xml_block::load(at);
        const unsigned stop = xml_block::first_of((c != ' ') & (c != '\n') & (c != '\t') & (c != '\r'));
        if (stop != 16) return at + stop;
    }
    return at;
}

// The bytes before the next blank, control character, '=', '>' or '/', where they are 1 to 15; behind them zeros.
// A name that is known may be found again by them, for none of these can go on in a name.
struct xml_word {
    std::uint64_t low = 0;
    std::uint64_t high = 0;
    unsigned size = 0; // 0: there is no such word, or it is longer, or the end is near

    static xml_word at(const char* at, const char* end) noexcept {
        if (end - at < xml_block::size) return {};
        const auto c = xml_block::load(at);
        const unsigned stop = xml_block::first_of((c <= ' ') | (c == '=') | (c == '>') | (c == '/'));
        if (stop == 16) return {};
        static constexpr std::uint8_t kept[32] = {255, 255, 255, 255, 255, 255, 255, 255,
                                                  255, 255, 255, 255, 255, 255, 255, 255};
        const auto word = c & xml_block::load(kept + 16 - stop);
        xml_word made;
        std::uint64_t halves[2];
        std::memcpy(halves, &word, sizeof halves);
        made.low = halves[0];
        made.high = halves[1];
        made.size = stop;
        return made;
    }
    std::size_t slot(unsigned bits) const noexcept {
        return static_cast<std::size_t>(((low ^ std::rotl(high, 29)) * 0x9E3779B97F4A7C15U) >> (64 - bits));
    }
    // As none of the bytes is zero, equal words are of equal size.
    bool operator==(const xml_word& other) const noexcept { return low == other.low && high == other.high; }
};

// Do the bytes at `at`, before `end`, begin with these, which stand in the same text before them?
inline bool xml_repeats(const char* at, const char* end, const char* before, std::size_t size) noexcept {
    if (end - at < xml_block::size || size > 16)
        return static_cast<std::size_t>(end - at) >= size && std::memcmp(at, before, size) == 0;
    return xml_block::first_of(xml_block::load(at) != xml_block::load(before)) >= size;
}

} // namespace allot::detail
