// pool_inline: what of a pool is compiled into its callers. Included by pool.hpp.
//
// Cost: 8 instructions a pair at level off, 40 at level on.
#pragma once

#include <allot/structure/pool.hpp>

namespace allot {

inline void* pool::try_allocate() noexcept {
    std::byte* slot = newest_;
    if constexpr (checks == check_level::off) {
        if (slot) {
            newest_ = nullptr;
            ++turned_count_;
        } else {
            detail::free_slot* const listed = free_;
            if (!listed) [[unlikely]]
                return allocate_new();
            allot::mark_live(listed, sizeof *listed);
            free_ = listed->next;
            ++left_count_;
            slot = reinterpret_cast<std::byte*>(listed);
        }
    } else {
        if (slot) {
            newest_ = nullptr;
            ++turned_count_;
        } else {
            detail::pool_slab* const from = waiting_;
            const index at = from->head;
            if (at == no_slot) [[unlikely]]
                return allocate_new();
            from->head = std::exchange(from->links[at], live_slot);
            slot = from->base + at * stride_;
            ++left_count_;
        }
        if (!is_untouched(slot)) [[unlikely]]
            fatal_written(slot);
    }
    mark_fresh(slot, slot_.size);
    return slot;
}

// Lemire, Kaser, Kurz: Faster remainder by direct computation (2019): the product's high half is the
// quotient, and its low half is below the reciprocal where the division leaves no rest. No address outside
// has a number < cut.
inline std::uint64_t pool::slot_number(const void* slot, const detail::pool_slab& home) const noexcept {
    const std::uint64_t offset =
        reinterpret_cast<std::uintptr_t>(slot) - reinterpret_cast<std::uintptr_t>(home.base);
    __extension__ using wide = unsigned __int128;
    const wide product = wide{offset} * reciprocal_;
    return static_cast<std::uint64_t>(product) < reciprocal_ ? static_cast<std::uint64_t>(product >> 64)
                                                             : static_cast<std::uint64_t>(-1);
}

inline void pool::list_newest() noexcept {
    detail::pool_slab* const home = newest_slab_;
    ++entered_count_;
    *newest_link_ = home->head;
    home->head = static_cast<index>(newest_link_ - home->links);
    if (!home->is_waiting) {
        home->is_waiting = true;
        home->next_waiting = waiting_;
        waiting_ = home;
    }
}

inline void pool::take_back(void* slot, detail::pool_slab* home, std::uint64_t at) noexcept {
    index* const link = home->links + at;
    if (*link != live_slot || slot == newest_) [[unlikely]]
        fatal_twice(slot);
    __builtin_prefetch(slot, 1);
    if (newest_) list_newest();
    newest_ = static_cast<std::byte*>(slot);
    newest_link_ = link;
    newest_slab_ = home;
    if constexpr (checks == check_level::on) {
        mark_live(slot, sizeof guard); // the object may be smaller
        std::memcpy(slot, &guard, sizeof guard);
    }
    mark_dead(slot, stride_);
}

inline void pool::deallocate(void* slot) noexcept {
    if constexpr (checks == check_level::off) {
        std::byte* const before = newest_;
        newest_ = static_cast<std::byte*>(slot);
        __builtin_prefetch(slot, 1);
        mark_dead(slot, stride_);
        if (!before) return;
        ++entered_count_;
        allot::mark_live(before, sizeof(detail::free_slot)); // the object may be smaller
        free_ = ::new (before) detail::free_slot{free_};
        mark_dead(before, stride_);
    } else {
        detail::pool_slab* const home =
            map_[(reinterpret_cast<std::uintptr_t>(slot) >> map_shift_) & map_mask_];
        const std::uint64_t at = slot_number(slot, *home);
        if (at >= home->cut) [[unlikely]]
            return deallocate_elsewhere(slot);
        take_back(slot, home, at);
    }
}

} // namespace allot
