// counters: additions that are one instruction, so that a signal handler on the same thread cannot tear them.
//
// Use them on a thread's own entry only: they are not atomic among threads, and need not be.
// Threads: the owner; others read the word whole. Cost: one instruction on memory.
//
//     add_one(entry.counters.frees);
//     if (subtract_below_zero(entry.live_headroom_bytes, size)) new_maximum();
#pragma once

#include <cstdint>

namespace allot::recorder {

template <class Integer>
[[gnu::always_inline]] inline void add_one(Integer& counter) noexcept {
    static_assert(sizeof counter == 8);
    asm("addq $1, %0" : "+m"(counter) : : "cc");
}

template <class Integer, class Amount>
[[gnu::always_inline]] inline void add(Integer& counter, Amount amount) noexcept {
    static_assert(sizeof counter == 8 && sizeof amount == 8);
    asm("addq %1, %0" : "+m"(counter) : "er"(amount) : "cc");
}

[[gnu::always_inline]] inline bool subtract_below_zero(std::int64_t& counter, std::int64_t amount) noexcept {
    bool below;
    asm("subq %2, %0" : "+m"(counter), "=@ccs"(below) : "er"(amount) : "cc");
    return below;
}

} // namespace allot::recorder
