// tiered_pool_parts: the inner part of tiered_pool.hpp: one tier's slots and numbers. Nothing here is for
// users.
//
// Owns nothing.
// Threads: one writes; the counters are read by any.
// Cost: 128 bytes; what take and give need stands in the first cache line.
#pragma once

#include <allot/source/block_counters.hpp>
#include <cstddef>
#include <cstdint>

namespace allot {

class tiered_pool;

namespace detail {

inline constexpr std::size_t size_tier_count_max = 16;

// What is free is in a list by number, the newest first. States stand beside the slots, where no stray write
// into a slot can reach them: of a free slot the number of the next, or one of these two. A slot from `cut`
// on was never handed out, and its state is not yet written. So live_count() + (slots in the list) ==
// cut_count.
struct alignas(64) tier_state {
    static constexpr std::uint32_t none = 0xFFFF'FFFF;
    static constexpr std::uint32_t live = 0xFFFF'FFFE;

    std::byte* base = nullptr;
    std::uint32_t* states = nullptr;
    std::uint32_t slot_bytes = 0;
    std::uint32_t free = none;
    std::uint64_t reciprocal = 0; // 2^64 / slot_bytes, rounded up
    owned_counter taken_bytes, given_back_bytes, taken_count, given_back_count; // live: the difference

    // warn() is due where the live slots are none of [quiet_from, quiet_from + quiet_count).
    std::uint64_t quiet_from = 0;
    std::uint64_t quiet_count = ~std::uint64_t{0};
    std::uint32_t align = 1;
    std::uint32_t slot_count = 0;
    tiered_pool* pool = nullptr;
    owned_counter cut_count, promoted_count, refused_count;

    // Another thread may read between two changes: never below zero.
    std::uint64_t live_count() const noexcept {
        const std::uint64_t given = given_back_count.load();
        const std::uint64_t taken = taken_count.load();
        return taken > given ? taken - given : 0;
    }
    std::uint64_t live_bytes() const noexcept {
        const std::uint64_t given = given_back_bytes.load();
        const std::uint64_t taken = taken_bytes.load();
        return taken > given ? taken - given : 0;
    }
    std::uint32_t slot_number(std::uint64_t offset) const noexcept { // a product's upper half: no division
        __extension__ using wide = unsigned __int128;
        return static_cast<std::uint32_t>(static_cast<wide>(offset) * reciprocal >> 64);
    }
    std::uint64_t bytes() const noexcept { return std::uint64_t{slot_count} * slot_bytes; }
};

} // namespace detail

} // namespace allot
