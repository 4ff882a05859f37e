// pool_slab: what a pool keeps of each of its slabs. For pool's own source files.
//
// Owns nothing: the slab is its own memory, the pool's upstream owns the block.
// Threads: the pool's.
//
//     slab->contains(address, stride, slab->cut)
#pragma once

#include <cstddef>
#include <cstdint>

namespace allot::detail {

// Lies at the end of its block, behind the slots and, at level on, their links.
struct pool_slab {
    std::byte* base;
    std::uint32_t* links; // of slots that were cut: the next free one's index, or that it lives; level on
    pool_slab* next_waiting;
    pool_slab* next_uncut;
    std::uint64_t count;      // slots
    std::uint32_t cut;        // of these handed out at least once: the first ones
    std::uint32_t head;       // first free slot, unless this is the pool's current slab; level on
    std::uint32_t free_count; // as counted last
    bool is_waiting;

    bool contains(const void* address, std::size_t stride, std::uint64_t slots) const noexcept {
        const auto place = reinterpret_cast<std::uintptr_t>(address);
        const auto first = reinterpret_cast<std::uintptr_t>(base);
        return place >= first && place - first < slots * stride;
    }
    bool is_empty() const noexcept { return free_count == cut; }
};

} // namespace allot::detail
