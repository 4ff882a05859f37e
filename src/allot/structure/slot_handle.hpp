// slot_handle: names one value of a slot_map<T>: index and generation, 8 bytes.
//
// Keep handles where pointers would dangle: in other objects, in messages, in files. Only its map can say
// whether the value still lives. It does not know its map: a handle of another map of the same T may name a
// value there. Freestanding.
// Threads: a value.
// Cost: 8 bytes; a null handle is no special case for a look-up.
//
//     slot_handle<session> none;
//     assert(!none && none == slot_handle<session>());
//     assert(slot_handle<session>::from_bits(other.bits()) == other);
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>

namespace allot {

namespace detail {
struct slot_handle_access;
}

template <class T>
class slot_handle {
public:
    constexpr slot_handle() noexcept = default; // names nothing
    explicit constexpr operator bool() const noexcept { return generation() != 0; }

    // The same in 64 bits, for foreign interfaces and files. Bits that no handle has make a null handle.
    constexpr std::uint64_t bits() const noexcept { return bits_; }
    static constexpr slot_handle from_bits(std::uint64_t bits) noexcept {
        return bits >> 32 & 1 ? slot_handle(bits) : slot_handle(); // a value's generation is odd
    }

    // Of the slot: less than the slots that the map ever had, so that it may index a table beside the map.
    constexpr std::uint32_t index() const noexcept { return static_cast<std::uint32_t>(bits_); }
    constexpr std::uint32_t generation() const noexcept { // odd, or 0
        return static_cast<std::uint32_t>(bits_ >> 32);
    }

    friend constexpr bool operator==(slot_handle, slot_handle) noexcept = default;
    friend constexpr auto operator<=>(slot_handle, slot_handle) noexcept = default;

private:
    friend struct detail::slot_handle_access;
    explicit constexpr slot_handle(std::uint64_t bits) noexcept : bits_(bits) {}

    std::uint64_t bits_ = static_cast<std::uint32_t>(-1); // generation, index; an index that no slot has
};

namespace detail {
struct slot_handle_access {
    template <class T>
    static constexpr slot_handle<T> make(std::uint64_t bits) noexcept {
        return slot_handle<T>(bits);
    }
};
} // namespace detail
} // namespace allot

template <class T>
struct std::hash<allot::slot_handle<T>> {
    std::size_t operator()(allot::slot_handle<T> handle) const noexcept {
        return static_cast<std::size_t>(handle.bits() * 0x9E37'79B9'7F4A'7C15); // Knuth: Fibonacci hashing
    }
};
