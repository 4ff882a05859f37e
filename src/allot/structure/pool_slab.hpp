// pool_slab: what a pool keeps of each of its slabs, and how it finds the slab of an address. Inner part of
// pool.
//
// Owns nothing: the pool owns the slab's block.
// Threads: the pool's.
//
//     slab->contains(address, stride, slab->cut)
#pragma once

#include <cstddef>
#include <cstdint>

namespace allot::detail {

// Lies beside the slabs, not in them: the heads of large blocks share cache sets, and a slab of slots alone
// fills whole pages.
struct pool_slab {
    std::byte* base = nullptr;
    std::uint32_t* links =
        nullptr; // of slots that were cut: the next free one's index, or that it lives; level on
    pool_slab* next_waiting = nullptr; // no_pool_slab ends the stack
    pool_slab* next_uncut = nullptr;   // also: the next spare record
    std::uint32_t count = 0;           // slots
    std::uint32_t cut = 0;             // of these handed out at least once: the first ones
    std::uint32_t head = 0;            // first free slot; level on
    std::uint32_t free_count = 0;      // as counted last
    bool is_waiting = false;

    bool contains(const void* address, std::size_t stride, std::uint64_t slots) const noexcept {
        const auto place = reinterpret_cast<std::uintptr_t>(address);
        const auto first = reinterpret_cast<std::uintptr_t>(base);
        return place >= first && place - first < slots * stride;
    }
    bool is_empty() const noexcept { return free_count == cut; }
};

// Of these there is an array by address.
struct pool_slab_key {
    std::uintptr_t first = 0;
    pool_slab* slab = nullptr;
};

// Has no slots, so that what looks for one in it finds none, without a branch of its own. Never written.
inline constinit pool_slab no_pool_slab{.head = static_cast<std::uint32_t>(-1)};

} // namespace allot::detail
