// checked_bytes: copying, moving, filling, comparing and duplicating where the destination's size is known.
//
// Use it where sizes come from input, in place of memcpy and its family: what does not fit, what overlaps and
// what overflows is an answer, nothing is written then, and nothing is ever cut. Sums and products of sizes are
// bytes.hpp's checked_add and checked_multiply. Where both sizes are constants, std::copy says as much.
// Freestanding: libc's memmove, memset and memcmp.
// Owns nothing; what checked_duplicate makes goes back to its source with {size() + 1, 1}.
// Threads: pure functions of bytes that nobody else writes.
// Cost: two compares before the libc call. equal_in_constant_time reads every byte, about one a cycle.
//
//     std::array<char, 8> to{};
//     const std::string_view from = "request";
//     assert(checked_copy(std::span(to), from) == bytes_error::none);
//     assert(checked_copy(std::span(to).first(4), from) == bytes_error::too_small && to[0] == 'r');
//     assert(checked_copy(std::span(to).last(7), std::span(to).first(7)) == bytes_error::overlaps);
//     assert(checked_move(std::span(to).last(7), std::span(to).first(7)) == bytes_error::none);
//     assert(equal_in_constant_time(std::span(to).last(7), from));
#pragma once

#include <allot/core/bytes.hpp>
#include <allot/core/layout.hpp>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>

namespace allot {

enum class bytes_error : unsigned char {
    none,
    too_small, // the destination; nothing was written
    overlaps,  // use checked_move
    overflows, // the range ends beyond what it is a part of
};

constexpr const char* text(bytes_error what) noexcept {
    switch (what) {
    case bytes_error::none: return "ok";
    case bytes_error::too_small: return "the destination is too small";
    case bytes_error::overlaps: return "source and destination overlap";
    case bytes_error::overflows: return "beyond the end";
    }
    return "";
}

// Whether two ranges have a byte in common. An empty one has none.
inline bool overlap(std::span<const std::byte> a, std::span<const std::byte> b) noexcept {
    const std::uintptr_t distance =
        reinterpret_cast<std::uintptr_t>(b.data()) - reinterpret_cast<std::uintptr_t>(a.data());
    return !a.empty() && !b.empty() && (distance < a.size() || 0 - distance < b.size());
}

// All of `from` to the beginning of `to`. T is trivially copyable in these.
template <class T, std::size_t N>
    requires std::is_trivially_copyable_v<T>
[[nodiscard]] bytes_error checked_move(std::span<T, N> to,
                                       std::type_identity_t<std::span<const T>> from) noexcept {
    if (from.size() > to.size()) return bytes_error::too_small;
    if (!from.empty()) std::memmove(to.data(), from.data(), from.size_bytes());
    return bytes_error::none;
}

// … which must not be a part of it: that the source is changed meanwhile is mostly a bug.
template <class T, std::size_t N>
    requires std::is_trivially_copyable_v<T>
[[nodiscard]] bytes_error checked_copy(std::span<T, N> to,
                                       std::type_identity_t<std::span<const T>> from) noexcept {
    if (from.size() > to.size()) return bytes_error::too_small;
    if (overlap(std::as_bytes(to.first(from.size())), std::as_bytes(from))) return bytes_error::overlaps;
    return checked_move(to, from);
}

// The first `count` items of `to`.
template <class T, std::size_t N>
    requires std::is_trivially_copyable_v<T>
[[nodiscard]] bytes_error checked_fill(std::span<T, N> to, const std::type_identity_t<T>& value,
                                       std::size_t count) noexcept {
    if (count > to.size()) return bytes_error::too_small;
    for (T& each : to.first(count)) each = value;
    return bytes_error::none;
}

// `count` items from `begin` on; nothing is cut.
template <class T>
[[nodiscard]] constexpr bytes_error checked_part(std::span<T> whole, std::size_t begin, std::size_t count,
                                                 std::span<T>& out) noexcept {
    if (begin > whole.size() || count > whole.size() - begin) return bytes_error::overflows;
    out = whole.subspan(begin, count);
    return bytes_error::none;
}

// By unsigned bytes; of two that begin alike the shorter comes first.
inline std::strong_ordering checked_compare(std::span<const std::byte> a,
                                            std::span<const std::byte> b) noexcept {
    const std::size_t common = a.size() < b.size() ? a.size() : b.size();
    const int order = common == 0 ? 0 : std::memcmp(a.data(), b.data(), common);
    return order == 0 ? a.size() <=> b.size() : order <=> 0;
}

// For what must not be guessed byte by byte, as passwords: the time depends on the sizes alone.
inline bool equal_in_constant_time(std::span<const std::byte> a, std::span<const std::byte> b) noexcept {
    if (a.size() != b.size()) return false;
    unsigned char difference = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        difference |= static_cast<unsigned char>(a[i] ^ b[i]);
        asm volatile("" : "+r"(difference)); // else the compiler may leave the loop early
    }
    return difference == 0;
}
inline bool equal_in_constant_time(std::span<const char> a, std::span<const char> b) noexcept {
    return equal_in_constant_time(std::as_bytes(a), std::as_bytes(b));
}

// A copy of the text with a zero behind it, from anything that has try_allocate(layout); data() is nullptr on
// shortage.
template <class Source>
[[nodiscard]] std::span<char> checked_duplicate(Source& memory, std::span<const char> text) noexcept {
    std::size_t size = 0;
    if (!checked_add(text.size(), std::size_t{1}, size)) return {};
    auto* const to = static_cast<char*>(memory.try_allocate(layout{.size = size, .align = 1}));
    if (!to) return {};
    if (!text.empty()) std::memcpy(to, text.data(), text.size());
    to[text.size()] = 0;
    return {to, text.size()};
}

} // namespace allot
