// buffer_tier: the sizes that a pool of buffers has, and (inner part) how one of its buffers lies in memory.
//
// Use it to name the tiers of a buffer_pool or a concurrent_buffer_pool; nothing else is for users.
// Each buffer is a block of its own from upstream: a head of one cache line, the buffer, and some slack that
// lets the buffer begin at one of several multiples of 64 bytes. Page-aligned buffers all begin in the same
// set of the cache, so that touching the first line of many of them misses; the pool gives each new one the
// colour (address modulo 4096, in lines) within its reach that the fewest have.
// Owns nothing.
// Threads: values; make and dispose by any.
// Cost: 64 bytes for the head, an eighth of the size (at most 4032 bytes) for colouring.
//
//     const buffer_tier tiers[] = {{.size = kibibytes(16), .kept_count_max = 32},
//                                  {.size = kibibytes(256), .kept_count_max = 8, .out_count_max = 100}};
//     buffer_pool pages({.name = "pages", .tiers = tiers});
#pragma once

#include <algorithm>
#include <allot/core/memory_source.hpp>
#include <allot/core/poison.hpp>
#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <cstring>
#include <span>

namespace allot {

struct buffer_tier {
    std::size_t size = 0;             // a multiple of 64
    std::uint64_t kept_count_max = 0; // buffers that wait for their next use; others go upstream
    std::uint64_t out_count_max = usage::unlimited;
};

inline constexpr std::array<buffer_tier, 3> default_buffer_tiers{{
    {.size = kibibytes(4), .kept_count_max = 100},
    {.size = kibibytes(64), .kept_count_max = 50},
    {.size = mebibytes(1), .kept_count_max = 10},
}};

// What is wanted of a pool. Contents never pass from one tenant to another: a buffer comes zeroed to a tenant
// that was not its last one. Tenant 0 is who names none; 2^64 - 1 is nobody's.
struct buffer_wish {
    std::size_t bytes = 1;
    std::uint64_t tenant = 0;
};

// Of one tier.
struct buffer_tier_statistics {
    std::uint64_t acquired_count = 0;
    std::uint64_t returned_count = 0;
    std::uint64_t made_count = 0;     // taken from upstream: the misses
    std::uint64_t disposed_count = 0; // given back upstream
    std::uint64_t out_count() const noexcept { return acquired_count - returned_count; }
    std::uint64_t kept_count() const noexcept { return made_count - disposed_count - out_count(); }
    double hit_rate() const noexcept { // 1 when none was acquired yet
        if (acquired_count == 0) return 1;
        return 1 - static_cast<double>(made_count) / static_cast<double>(acquired_count);
    }
};

namespace detail {

inline constexpr std::size_t buffer_align = 64;
inline constexpr std::size_t buffer_tier_count_max = 8;

// Finds the tier of a size in the same few instructions for each: from the size's width in bits, then by
// size.
class buffer_tier_sizes {
public:
    constexpr buffer_tier_sizes() noexcept { std::ranges::fill(size_, static_cast<std::size_t>(-1)); }
    explicit buffer_tier_sizes(std::span<const buffer_tier> tiers) noexcept;
    // The number of tiers, where none is so large.
    std::size_t tier_of(std::size_t wanted) const noexcept {
        std::size_t at = first_[std::bit_width(wanted)];
        while (size_[at] < wanted) [[unlikely]]
            ++at;
        return at;
    }

private:
    std::size_t
        size_[buffer_tier_count_max + 1]; // in order, and behind them what no block has: a search ends
    std::uint8_t first_[65] = {};         // by width: the first tier that may hold such a size
};

enum class buffer_state : std::uint32_t { out = 0xB0FF'0007, kept = 0xB0FF'0008 };

// Stands right before its buffer.
struct alignas(buffer_align) buffer_head {
    buffer_head* next = nullptr; // in the list of the kept ones
    void* block = nullptr;       // what upstream gave
    std::size_t block_size = 0;
    const void* owner = nullptr; // the pool
    std::uint64_t tenant = 0;    // the last one
    std::uint32_t tier = 0;
    buffer_state state = buffer_state::out;

    void* data() noexcept { return this + 1; }
    static buffer_head* of(void* data) noexcept { return static_cast<buffer_head*>(data) - 1; }
    static const buffer_head* of(const void* data) noexcept {
        return static_cast<const buffer_head*>(data) - 1;
    }
};
static_assert(sizeof(buffer_head) == buffer_align);

struct buffer_colours {
    static constexpr std::size_t count = 64;
    std::atomic<std::uint32_t> used_count[count] = {}; // relaxed: a race harms only the spread
};

// In order of size, and so many as a pool can have.
bool are_valid(std::span<const buffer_tier> tiers) noexcept;
// What upstream is asked for.
layout buffer_block_layout(std::size_t size, bool coloured) noexcept;
// Empty on shortage. The buffer is dead, its head is not.
buffer_head* make_buffer(memory_source& upstream, std::size_t size, buffer_colours* colours) noexcept;
void dispose_buffer(memory_source& upstream, buffer_head* head, std::size_t size,
                    buffer_colours* colours) noexcept;

inline constexpr std::uint64_t unknown_tenant = static_cast<std::uint64_t>(-1); // differs from itself
// Of a buffer that is out.
std::uint64_t tenant_of_buffer(void* data) noexcept;
// Zeroes a buffer that is out, and makes it that tenant's.
void pass_on_buffer(buffer_head* head, std::size_t size, std::uint64_t tenant) noexcept;

// The first word of a kept buffer is watched at level on.
inline constexpr std::uint64_t kept_guard = 0xFFFF'FFFF'DDDD'DDDD;

inline void mark_buffer_kept(buffer_head* head, std::size_t size) noexcept {
    if constexpr (poisons) allot::mark_live(head, sizeof *head);
    if constexpr (checks != check_level::off) {
        allot::mark_live(head->data(), sizeof kept_guard); // who had it may have marked its end dead
        head->state = buffer_state::kept;
        std::memcpy(head->data(), &kept_guard, sizeof kept_guard);
    }
    if constexpr (poisons) detail::mark_dead(head->data(), size, false);
}
// False where a kept buffer was written to.
inline bool mark_buffer_out(buffer_head* head, std::size_t size) noexcept {
    bool untouched = true;
    if constexpr (checks != check_level::off) {
        std::uint64_t first = 0;
        allot::mark_live(head->data(), sizeof first);
        std::memcpy(&first, head->data(), sizeof first);
        untouched = first == kept_guard;
        head->state = buffer_state::out;
    }
    allot::mark_fresh(head->data(), size);
    if constexpr (poisons) detail::mark_dead(head, sizeof *head, false);
    return untouched;
}

} // namespace detail
} // namespace allot
