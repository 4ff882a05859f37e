// layout, block: what is asked of memory, and what is given.
//
// Use a layout wherever size and alignment travel together, so that they cannot be swapped; use a block for
// memory whose length the holder must know. A block owns nothing: who holds it knows whose it is.
// Freestanding.
// Threads: values.
// Cost: 16 bytes each.
//
//     layout wanted = layout_of<node>();
//     layout row{.size = 100, .align = 64};
//     assert(is_valid(row) && row.size >= wanted.size);
#pragma once

#include <allot/core/bytes.hpp>
#include <cstddef>

namespace allot {

// Well-formed when size ≥ 1, align is a power of two, and the size rounded up to the alignment fits in
// ptrdiff_t.
struct layout {
    std::size_t size = 0;
    std::size_t align = alignof(std::max_align_t);
    friend constexpr bool operator==(layout, layout) = default;
};

constexpr bool is_valid(layout wanted) noexcept {
    constexpr std::size_t size_max = static_cast<std::size_t>(-1) >> 1;
    return wanted.size >= 1 && is_power_of_two(wanted.align) && wanted.align <= size_max &&
           wanted.size <= size_max - (wanted.align - 1);
}

template <class T>
constexpr layout layout_of() noexcept {
    return {.size = sizeof(T), .align = alignof(T)};
}

// An empty block has the address nullptr: that is how the `try_…` functions say no.
struct block {
    void* address = nullptr;
    std::size_t size = 0;
    explicit constexpr operator bool() const noexcept { return address != nullptr; }
    friend constexpr bool operator==(block, block) = default;
};

} // namespace allot
