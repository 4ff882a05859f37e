// slot_iterator: goes through what lives in a slot_map, 64 slots at a look.
//
// For slot_map alone; see there. Borrows the map. Threads: as the map. Cost: 13 instructions a value.
#pragma once

#include <allot/structure/slot_map_parts.hpp>
#include <iterator>

namespace allot::detail {

// Forward, over what lives. Stays valid when its value is erased: then only ++ is allowed.
template <class Store, class T>
class slot_iterator {
public:
    using iterator_category = std::forward_iterator_tag;
    using value_type = std::remove_const_t<T>;
    using difference_type = std::ptrdiff_t;
    using reference = T&;
    using pointer = T*;

    slot_iterator() noexcept = default; // behind the last
    slot_iterator(Store& store, std::uint32_t from) noexcept : slot_iterator(from_slot(&store, from)) {}

    T& operator*() const noexcept { return *Store::value_after(values_, bit()); }
    T* operator->() const noexcept { return Store::value_after(values_, bit()); }
    slot_handle<value_type> handle() const noexcept { return store_->handle_of(first_ + bit()); }
    slot_iterator& operator++() noexcept {
        const std::uint64_t rest = rest_ & (rest_ - 1);
        if (rest == 0 || *live_ != seen_) [[unlikely]] // what comes may be gone
            *this = from_slot(store_, first_ + bit() + 1);
        else
            rest_ = rest;
        return *this;
    }
    slot_iterator operator++(int) noexcept { return std::exchange(*this, std::next(*this)); }
    friend bool operator==(const slot_iterator& a, const slot_iterator& b) noexcept {
        return a.rest_ == 0 || b.rest_ == 0 ? a.rest_ == b.rest_ : a.first_ + a.bit() == b.first_ + b.bit();
    }
    friend bool operator==(const slot_iterator& a, std::default_sentinel_t) noexcept { return a.rest_ == 0; }

private:
    std::uint32_t bit() const noexcept { return static_cast<std::uint32_t>(std::countr_zero(rest_)); }
    // By value, so that a loop keeps its iterator in registers.
    [[gnu::noinline]] static slot_iterator from_slot(Store* store, std::uint32_t from) noexcept {
        slot_iterator found;
        const std::uint32_t slot = store->next_live(from);
        if (slot == slot_table::no_slot) return found;
        found.store_ = store;
        found.first_ = slot & ~63U;
        found.live_ = store->live_bits(slot);
        found.seen_ = *found.live_;
        found.rest_ = found.seen_ & (~std::uint64_t{0} << slot % 64);
        found.values_ = Store::value_before(store->value_of(slot), slot % 64);
        if (found.rest_ == 0) found.rest_ = std::uint64_t{1} << slot % 64; // in a packed segment: one by one
        return found;
    }

    std::uint64_t rest_ = 0;              // bits of the word from the value on; 0: behind the last
    const std::uint64_t* live_ = nullptr; // the word,
    std::uint64_t seen_ = 0;              // and what it was
    value_type* values_ = nullptr;        // where bit 0 is
    Store* store_ = nullptr;              // borrowed
    std::uint32_t first_ = 0;             // slot of bit 0
};

} // namespace allot::detail
