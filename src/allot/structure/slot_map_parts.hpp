// slot_store: the typed part of a slot_map below its public calls: where values lie and how they move.
//
// For slot_map alone; see there, and slot_map_table.hpp for the layout.
// Owns the values in its slots. Threads: compatible. Cost: see slot_map.
#pragma once

#include <allot/structure/slot_handle.hpp>
#include <allot/structure/slot_map_table.hpp>
#include <iterator>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

namespace allot::detail {

// Segments of about 32 KiB: 64 to 1024 slots.
constexpr std::uint32_t slot_count_for(std::size_t value_size) noexcept {
    const std::size_t fitting = kibibytes(32) / value_size;
    if (fitting >= 1024) return 1024;
    return fitting <= 64 ? 64 : static_cast<std::uint32_t>(std::bit_floor(fitting));
}

template <class T, std::uint32_t SegmentSlots>
class slot_store : protected slot_table {
    static_assert(std::is_object_v<T> && !std::is_const_v<T> && std::is_nothrow_destructible_v<T>);
    static_assert(is_power_of_two(SegmentSlots) && SegmentSlots >= 64 &&
                  SegmentSlots <= slot_shape::segment_count_max);

public:
    using handle = slot_handle<T>;

    // The first live slot from this one on; no_slot: none.
    index next_live(index from) const noexcept {
        while (from < slot_bound) {
            const std::uint64_t live = live_word(from / 64) >> from % 64;
            if (live != 0) return from + static_cast<index>(std::countr_zero(live));
            from = (from | 63) + 1;
        }
        return no_slot;
    }
    // Of a live slot.
    T* value_of(index slot) const noexcept {
        std::byte* const base = bases[slot / SegmentSlots];
        if (packed_segment_count == 0 || is_present(slot / SegmentSlots))
            return value_in(base, slot % SegmentSlots);
        const slot_packed from = packed(segments[slot / SegmentSlots]);
        return packed_value(from, slot_packed::place(from.words[slot % SegmentSlots / 64], slot % 64));
    }
    handle handle_of(index slot) const noexcept {
        return slot_handle_access::make<T>(slot, generation_of(slot));
    }

protected:
    static constexpr slot_shape shape{SegmentSlots, sizeof(T), alignof(T)};

    explicit slot_store(const slot_map_options& options) noexcept : slot_table(options, shape) {}

    T* find(handle wanted) const noexcept {
        const index slot = wanted.index();
        if (slot >= slot_bound) [[unlikely]]
            return nullptr;
        std::byte* const base = bases[slot / SegmentSlots];
        if (generations_in(base)[slot % SegmentSlots] != wanted.generation()) [[unlikely]]
            return packed_segment_count == 0 ? nullptr : find_packed(wanted);
        return value_in(base, slot % SegmentSlots);
    }

    // A slot that is no longer spare and not yet live; no_slot on shortage.
    index take_slot() noexcept {
        if (live_count() >= count_max) [[unlikely]]
            return refuse_more();
        slot_words* word = &word_of(open_word);
        if (word->spare == 0) [[unlikely]] {
            if (!open()) return no_slot;
            word = &word_of(open_word);
        }
        const index slot = open_word * 64 + static_cast<index>(std::countr_zero(word->spare));
        word->spare &= word->spare - 1;
        return slot;
    }

    template <class... Arguments>
    handle construct(index slot,
                     Arguments&&... arguments) noexcept(std::is_nothrow_constructible_v<T, Arguments...>) {
        std::byte* const base = bases[slot / SegmentSlots];
        T* const place = value_in(base, slot % SegmentSlots);
        allot::mark_fresh(place, sizeof(T));
        if constexpr (std::is_nothrow_constructible_v<T, Arguments...>) {
            ::new (static_cast<void*>(place)) T(std::forward<Arguments>(arguments)...);
        } else {
            taken_slot guard{*this, slot, place};
            if constexpr (std::is_constructible_v<T, Arguments...>)
                ::new (static_cast<void*>(place)) T(std::forward<Arguments>(arguments)...);
            else
                ::new (static_cast<void*>(place)) T{std::forward<Arguments>(arguments)...}; // aggregates
            guard.place = nullptr;
        }
        return enter(slot);
    }

    void destroy(index slot, T* value) noexcept {
        if (packed_segment_count != 0 && !is_present(slot / SegmentSlots)) [[unlikely]]
            return destroy_packed(slot, value);
        leave(slot);
        destroy_value(value);
        put_back(slot);
    }

    void destroy_all() noexcept {
        if constexpr (!std::is_trivially_destructible_v<T>)
            for (index slot = next_live(0); slot != no_slot; slot = next_live(slot + 1))
                destroy(slot, value_of(slot));
    }

    template <class Function>
    void visit_all(Function& function) {
        for (std::uint32_t at = 0; at != segment_count(); ++at) {
            if (segments[at].packed) [[unlikely]] {
                visit_packed(at, function);
                continue;
            }
            const index first = at * SegmentSlots;
            for (index i = 0; i != SegmentSlots; i += 64) {
                // Read anew after each call, which may erase.
                std::uint64_t live = words_in(bases[at])[i / 64].live;
                while (live != 0) {
                    const auto bit = static_cast<unsigned>(std::countr_zero(live));
                    call(function, first + i + bit, *value_in(bases[at], i + bit));
                    live = words_in(bases[at])[i / 64].live & (~std::uint64_t{1} << bit);
                }
            }
        }
    }

    std::uint64_t pack_all() noexcept;
    template <class Moved>
    std::uint64_t move_to_front(Moved& moved);

private:
    static std::uint32_t* generations_in(std::byte* base) noexcept {
        return reinterpret_cast<std::uint32_t*>(base);
    }
    static slot_words* words_in(std::byte* base) noexcept {
        return reinterpret_cast<slot_words*>(base + shape.words_offset());
    }
    static T* value_in(std::byte* base, index in_segment) noexcept {
        return reinterpret_cast<T*>(base + shape.values_offset()) + in_segment;
    }
    static T* packed_value(const slot_packed& from, std::uint32_t place) noexcept {
        return reinterpret_cast<T*>(from.values) + place;
    }
    slot_words& word_of(index word) const noexcept {
        return words_in(bases[word / (SegmentSlots / 64)])[word % (SegmentSlots / 64)];
    }
    std::uint64_t live_word(index word) const noexcept {
        const slot_segment& segment = segments[word / (SegmentSlots / 64)];
        if (packed_segment_count != 0 && segment.packed) [[unlikely]]
            return segment.packed[word % (SegmentSlots / 64)].live;
        return word_of(word).live;
    }
    std::uint32_t generation_of(index slot) const noexcept {
        const slot_segment& segment = segments[slot / SegmentSlots];
        if (!segment.packed) return generations_in(bases[slot / SegmentSlots])[slot % SegmentSlots];
        const slot_packed from = packed(segment);
        return from.generations[slot_packed::place(from.words[slot % SegmentSlots / 64], slot % 64)];
    }

    template <class Function>
    void call(Function& function, index slot, T& value) {
        if constexpr (std::is_invocable_v<Function&, handle, T&>)
            function(handle_of(slot), value);
        else
            function(value);
    }
    template <class Function>
    [[gnu::noinline]] void visit_packed(std::uint32_t at, Function& function) {
        const index end = (at + 1) * SegmentSlots;
        for (index slot = next_live(at * SegmentSlots); slot < end; slot = next_live(slot + 1))
            call(function, slot, *value_of(slot));
    }

    struct taken_slot { // is spare again when a constructor throws
        slot_store& from;
        index slot;
        T* place;
        ~taken_slot() {
            if (!place) return;
            allot::mark_dead(place, sizeof(T));
            from.note_spare(slot);
        }
    };

    // From taken to live.
    handle enter(index slot) noexcept {
        std::byte* const base = bases[slot / SegmentSlots];
        std::uint32_t& generation = generations_in(base)[slot % SegmentSlots];
        ++generation;
        words_in(base)[slot % SegmentSlots / 64].live |= std::uint64_t{1} << slot % 64;
        ++inserted_count;
        if (live_count() > peak_live_count) peak_live_count = live_count();
        return slot_handle_access::make<T>(slot, generation);
    }
    // From live to neither; handles are stale from here on.
    void leave(index slot) noexcept {
        std::byte* const base = bases[slot / SegmentSlots];
        ++generations_in(base)[slot % SegmentSlots];
        words_in(base)[slot % SegmentSlots / 64].live &= ~(std::uint64_t{1} << slot % 64);
        ++erased_count;
    }
    static void destroy_value(T* value) noexcept {
        value->~T();
        allot::mark_dead(value, sizeof(T));
    }
    // To spare, or retired.
    void put_back(index slot) noexcept {
        std::uint32_t& generation = generations_in(bases[slot / SegmentSlots])[slot % SegmentSlots];
        if (generation > generation_max()) [[unlikely]] {
            generation = retired;
            ++retired_count;
            return;
        }
        note_spare(slot);
    }
    void note_spare(index slot) noexcept {
        const std::uint32_t at = slot / SegmentSlots;
        std::uint64_t& spare = words_in(bases[at])[slot % SegmentSlots / 64].spare;
        if (spare == 0) {
            segments[at].spare_words |= std::uint64_t{1} << slot % SegmentSlots / 64;
            spare_segments[at / 64] |= std::uint64_t{1} << at % 64;
            if (at / 64 < spare_segments_from) spare_segments_from = at / 64;
        }
        spare |= std::uint64_t{1} << slot % 64;
        open_word = slot / 64; // what is warm is used first
    }

    [[gnu::noinline]] T* find_packed(handle wanted) const noexcept;
    [[gnu::noinline]] void destroy_packed(index slot, T* value) noexcept;
    bool pack(std::uint32_t at) noexcept;
    bool wants_packing(std::uint32_t at) const noexcept;
    index first_spare(index from) const noexcept;
    index last_live(index below) const noexcept;
    template <class Moved>
    void move_one(index from, index to, Moved& moved);
};

// Forward, over what lives. Stays valid when its value is erased: then only ++ is allowed.
template <class Store, class T>
class slot_iterator {
public:
    using iterator_category = std::forward_iterator_tag;
    using value_type = std::remove_const_t<T>;
    using difference_type = std::ptrdiff_t;
    using reference = T&;
    using pointer = T*;

    slot_iterator() noexcept = default;
    slot_iterator(Store& store, std::uint32_t from) noexcept : store_(&store) { settle(from); }

    T& operator*() const noexcept { return *value_; }
    T* operator->() const noexcept { return value_; }
    slot_handle<value_type> handle() const noexcept { return store_->handle_of(slot_); }
    slot_iterator& operator++() noexcept {
        settle(slot_ + 1);
        return *this;
    }
    slot_iterator operator++(int) noexcept { return std::exchange(*this, std::next(*this)); }
    friend bool operator==(const slot_iterator& a, const slot_iterator& b) noexcept {
        return a.slot_ == b.slot_;
    }

private:
    void settle(std::uint32_t from) noexcept {
        slot_ = store_->next_live(from);
        value_ = slot_ == slot_table::no_slot ? nullptr : store_->value_of(slot_);
    }
    Store* store_ = nullptr; // borrowed
    T* value_ = nullptr;
    std::uint32_t slot_ = slot_table::no_slot;
};

} // namespace allot::detail

#include <allot/structure/slot_map_compact.hpp>
