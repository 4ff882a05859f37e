// bytes: arithmetic on sizes and addresses that cannot go wrong silently.
//
// Use it wherever a size is computed from input, or an address is rounded. Do not use it to print sizes.
// Freestanding: no libstdc++ at run time, no allocation, no exceptions.
// Threads: pure functions.
// Cost: one or two instructions each; the checked forms add one branch on the overflow flag.
//
//     std::size_t bytes = 0;
//     if (!checked_multiply(count, sizeof(node), bytes) || !checked_align_up(bytes, page, bytes))
//         return shortage();
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>

namespace allot {

constexpr std::size_t kibibytes(std::size_t count) noexcept { return count << 10; }
constexpr std::size_t mebibytes(std::size_t count) noexcept { return count << 20; }
constexpr std::size_t gibibytes(std::size_t count) noexcept { return count << 30; }

template <std::unsigned_integral T>
constexpr bool is_power_of_two(T value) noexcept {
    return value != 0 && (value & (value - 1)) == 0;
}

// Expects of all four below: align is a power of two.
template <std::unsigned_integral T>
constexpr T align_down(T value, T align) noexcept {
    return static_cast<T>(value & ~static_cast<T>(align - 1));
}

// Expects also: value + align - 1 does not overflow. For values from outside take checked_align_up.
template <std::unsigned_integral T>
constexpr T align_up(T value, T align) noexcept {
    return align_down(static_cast<T>(value + (align - 1)), align);
}

template <std::unsigned_integral T>
constexpr bool is_aligned(T value, T align) noexcept {
    return (value & (align - 1)) == 0;
}
inline bool is_aligned(const void* address, std::size_t align) noexcept {
    return is_aligned(reinterpret_cast<std::uintptr_t>(address), std::uintptr_t{align});
}

// The checked forms: true and the right value in `out`, or false and `out` as it was. `out` may be an
// operand.
template <std::unsigned_integral T>
[[nodiscard]] constexpr bool checked_add(T a, T b, T& out) noexcept {
    T sum{};
    if (__builtin_add_overflow(a, b, &sum)) return false;
    out = sum;
    return true;
}

template <std::unsigned_integral T>
[[nodiscard]] constexpr bool checked_subtract(T a, T b, T& out) noexcept {
    if (b > a) return false;
    out = static_cast<T>(a - b);
    return true;
}

template <std::unsigned_integral T>
[[nodiscard]] constexpr bool checked_multiply(T a, T b, T& out) noexcept {
    T product{};
    if (__builtin_mul_overflow(a, b, &product)) return false;
    out = product;
    return true;
}

template <std::unsigned_integral T>
[[nodiscard]] constexpr bool checked_align_up(T value, T align, T& out) noexcept {
    T sum{};
    if (!checked_add(value, static_cast<T>(align - 1), sum)) return false;
    out = align_down(sum, align);
    return true;
}

} // namespace allot
