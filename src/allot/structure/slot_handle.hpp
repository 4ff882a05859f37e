// slot_handle: names one value of a slot_map<T>: index and generation, 8 bytes.
//
// Keep handles where pointers would dangle: in other objects, in messages, in files. Only its map can say whether
// the value still lives. It does not know its map: a handle of another map of the same T may name a value there.
// Freestanding.
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
    explicit constexpr operator bool() const noexcept { return generation_ != 0; }

    // The same in 64 bits, for foreign interfaces and files. Bits that no handle has make a null handle.
    constexpr std::uint64_t bits() const noexcept { return std::uint64_t{generation_} << 32 | index_; }
    static constexpr slot_handle from_bits(std::uint64_t bits) noexcept {
        const auto generation = static_cast<std::uint32_t>(bits >> 32);
        return generation % 2 == 1 ? slot_handle(static_cast<std::uint32_t>(bits), generation)
                                   : slot_handle();
    }

    // Of the slot: less than the slots that the map ever had, so that it may index a table beside the map.
    constexpr std::uint32_t index() const noexcept { return index_; }
    constexpr std::uint32_t generation() const noexcept { return generation_; } // odd, or 0

    friend constexpr bool operator==(slot_handle, slot_handle) noexcept = default;
    friend constexpr auto operator<=>(slot_handle, slot_handle) noexcept = default;

private:
    friend struct detail::slot_handle_access;
    constexpr slot_handle(std::uint32_t index, std::uint32_t generation) noexcept
        : index_(index), generation_(generation) {}

    std::uint32_t index_ = static_cast<std::uint32_t>(-1); // beyond every map's slots
    std::uint32_t generation_ = 0;
};

namespace detail {
struct slot_handle_access {
    template <class T>
    static constexpr slot_handle<T> make(std::uint32_t index, std::uint32_t generation) noexcept {
        return slot_handle<T>(index, generation);
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
