// slot_store: the typed part of a slot_map below its public calls: where values lie and how they move.
//
// For slot_map alone; see there, and slot_map_table.hpp for the layout.
// Owns the values in its slots. Threads: compatible. Cost: see slot_map.
#pragma once

#include <allot/structure/slot_handle.hpp>
#include <allot/structure/slot_map_table.hpp>
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
                  SegmentSlots <= slot_shape::slot_count_max);

public:
    using handle = slot_handle<T>;

    // The first live slot from this one on; no_slot: none.
    index next_live(index from) const noexcept {
        while (from < slot_bound) {
            const std::uint64_t live = live_word(from) >> from % 64;
            if (live != 0) return from + static_cast<index>(std::countr_zero(live));
            from = (from | 63) + 1;
        }
        return no_slot;
    }
    // Of a live slot.
    T* value_of(index slot) const noexcept {
        if (packed_segment_count == 0 || is_present(slot / SegmentSlots)) return value_in(slot);
        const slot_packed from = packed(segments[slot / SegmentSlots]);
        return packed_value(from, slot_packed::place(from.words[slot % SegmentSlots / 64], slot % 64));
    }
    handle handle_of(index slot) const noexcept { return handle::from_bits(bits_of(slot)); }
    // In a present segment.
    static T* value_after(T* value, index slots) noexcept {
        return reinterpret_cast<T*>(reinterpret_cast<std::byte*>(value) + slots * shape.value_stride());
    }
    static T* value_before(T* value, index slots) noexcept {
        return reinterpret_cast<T*>(reinterpret_cast<std::byte*>(value) - slots * shape.value_stride());
    }
    // Of the slot's word, for who goes on from it; zero in a packed segment.
    const std::uint64_t* live_bits(index slot) const noexcept {
        return &segments[slot / SegmentSlots].words()[slot % SegmentSlots / 64].live;
    }

protected:
    static constexpr slot_shape shape{SegmentSlots, sizeof(T), alignof(T)};

    explicit slot_store(const slot_map_options& options) noexcept : slot_table(options, shape) {}

    T* find(handle wanted) const noexcept {
        const index slot = wanted.index() & slot_mask; // so that every index leads somewhere
        std::byte* const base = bases[slot / SegmentSlots];
        if (*bits_at(base, slot) != wanted.bits()) [[unlikely]]
            return packed_segment_count == 0 ? nullptr : find_packed(wanted.bits());
        return value_at(base, slot);
    }

    // A slot that is no longer spare and not yet live; no_slot on shortage.
    index take_slot() noexcept {
        if (open_words->spare == 0 && !open()) [[unlikely]]
            return no_slot;
        if (live_count() >= count_max) [[unlikely]]
            return refuse_more();
        slot_words& words = *open_words;
        const index slot = open_slot + static_cast<index>(std::countr_zero(words.spare));
        words.spare &= words.spare - 1;
        return slot;
    }

    template <class... Arguments>
    handle construct(index slot,
                     Arguments&&... arguments) noexcept(std::is_nothrow_constructible_v<T, Arguments...>) {
        T* const place = value_in(slot);
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

    bool erase(handle gone) noexcept {
        const index slot = gone.index() & slot_mask;
        std::byte* const base = bases[slot / SegmentSlots];
        if (*bits_at(base, slot) != gone.bits()) [[unlikely]]
            return packed_segment_count != 0 && erase_packed(gone.bits());
        destroy_present(slot, value_at(base, slot));
        return true;
    }
    void destroy_present(index slot, T* value) noexcept {
        leave(slot, value);
        destroy_value(value);
        put_back(slot, value);
    }
    void destroy(index slot, T* value) noexcept {
        if (segments[slot / SegmentSlots].packed)
            destroy_packed(slot, value);
        else
            destroy_present(slot, value);
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
            for (index first = at * SegmentSlots; first != (at + 1) * SegmentSlots; first += 64) {
                visit_word(first, function);
            }
        }
    }

    std::uint64_t pack_all() noexcept;
    template <class Moved>
    std::uint64_t move_to_front(Moved& moved);

private:
    static constexpr std::uint64_t next_generation = std::uint64_t{1} << 32;
    static constexpr std::uint64_t all_live = ~std::uint64_t{0};

    static std::uint64_t* bits_at(std::byte* base, index slot) noexcept {
        return reinterpret_cast<std::uint64_t*>(base + slot * shape.bits_stride());
    }
    static T* value_at(std::byte* base, index slot) noexcept {
        if constexpr (shape.is_paired())
            return reinterpret_cast<T*>(base + slot * shape.value_stride() +
                                        (shape.values_offset() - shape.bits_offset()));
        // The segment's own bits begin where those of its first slot are.
        std::byte* const bits = base + slot / SegmentSlots * SegmentSlots * shape.bits_stride();
        return reinterpret_cast<T*>(bits + (shape.values_offset() - shape.bits_offset())) +
               slot % SegmentSlots;
    }
    std::uint64_t* bits_in(index slot) const noexcept { return bits_at(bases[slot / SegmentSlots], slot); }
    T* value_in(index slot) const noexcept { return value_at(bases[slot / SegmentSlots], slot); }
    static T* packed_value(const slot_packed& from, std::uint32_t place) noexcept {
        return reinterpret_cast<T*>(from.values) + place;
    }
    slot_words& words_of(index slot) const noexcept {
        return segments[slot / SegmentSlots].words()[slot % SegmentSlots / 64];
    }
    std::uint64_t live_word(index slot) const noexcept {
        const slot_segment& segment = segments[slot / SegmentSlots];
        if (packed_segment_count != 0 && segment.packed) [[unlikely]]
            return segment.packed[slot % SegmentSlots / 64].live;
        return words_of(slot).live;
    }
    std::uint64_t bits_of(index slot) const noexcept {
        const slot_segment& segment = segments[slot / SegmentSlots];
        if (!segment.packed) return *bits_in(slot);
        const slot_packed from = packed(segment);
        const std::uint32_t place = slot_packed::place(from.words[slot % SegmentSlots / 64], slot % 64);
        return std::uint64_t{from.generations[place]} << 32 | slot;
    }

    template <class Function>
    void call(Function& function, index slot, T& value) {
        if constexpr (std::is_invocable_v<Function&, handle, T&>)
            function(handle_of(slot), value);
        else
            function(value);
    }
    // In a present segment. A call may erase: the word is compared after each, off the path of its bits.
    template <class Function>
    void visit_word(index first, Function& function) {
        const std::uint64_t* const now = live_bits(first);
        auto* const values = reinterpret_cast<std::byte*>(value_in(first));
        const auto visit = [&](unsigned bit) {
            call(function, first + bit, *reinterpret_cast<T*>(values + bit * shape.value_stride()));
        };
        std::uint64_t rest = *now;
        if (rest == all_live) {
            unsigned bit = 0;
            do visit(bit);
            while (++bit != 64 && *now == all_live);
            if (bit == 64) return;
            rest = *now & all_live << bit;
        }
        while (rest != 0) {
            const std::uint64_t seen = *now;
            do {
                const auto bit = static_cast<unsigned>(std::countr_zero(rest));
                rest &= rest - 1;
                visit(bit);
            } while (rest != 0 && *now == seen);
            rest &= *now;
        }
    }
    template <class Function>
    void visit_packed(std::uint32_t at, Function& function) {
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
        std::uint64_t* const bits = bits_in(slot);
        *bits += next_generation;
        words_of(slot).live |= std::uint64_t{1} << slot % 64;
        ++inserted_count;
        if (live_count() > peak_live_count) [[unlikely]]
            peak_live_count = live_count();
        return slot_handle_access::make<T>(*bits);
    }
    // From live to neither; handles are stale from here on.
    void leave(index slot, T* value) noexcept {
        *bits_beside(value, slot) += next_generation;
        words_of(slot).live &= ~(std::uint64_t{1} << slot % 64);
        ++erased_count;
    }
    std::uint64_t* bits_beside(T* value, index slot) const noexcept {
        if constexpr (shape.is_paired())
            return reinterpret_cast<std::uint64_t*>(reinterpret_cast<std::byte*>(value) -
                                                    (shape.values_offset() - shape.bits_offset()));
        return bits_in(slot);
    }
    static void destroy_value(T* value) noexcept {
        value->~T();
        allot::mark_dead(value, sizeof(T));
    }
    // To spare, or retired.
    void put_back(index slot, T* value) noexcept {
        std::uint64_t* const bits = bits_beside(value, slot);
        if (*bits >> 32 > generation_max()) [[unlikely]] {
            *bits = std::uint64_t{retired} << 32 | slot;
            ++retired_count;
            return;
        }
        note_spare(slot);
    }
    void note_spare(index slot) noexcept {
        slot_segment& segment = segments[slot / SegmentSlots];
        const index word = slot % SegmentSlots / 64;
        slot_words* const words = segment.words() + word;
        if (words->spare == 0) {
            const std::uint32_t at = slot / SegmentSlots;
            segment.spare_words |= std::uint64_t{1} << word;
            spare_segments[at / 64] |= std::uint64_t{1} << at % 64;
            if (at / 64 < spare_segments_from) spare_segments_from = at / 64;
        }
        words->spare |= std::uint64_t{1} << slot % 64;
        open_words = words; // what is warm is used first
        open_slot = slot & ~index{63};
    }

    [[gnu::noinline, gnu::pure]] T* find_packed(std::uint64_t wanted) const noexcept;
    [[gnu::noinline]] bool erase_packed(std::uint64_t gone) noexcept;
    void destroy_packed(index slot, T* value) noexcept;
    bool pack(std::uint32_t at) noexcept;
    bool wants_packing(std::uint32_t at) const noexcept;
    index first_spare(index from) const noexcept;
    index last_live(index below) const noexcept;
    template <class Moved>
    void move_one(index from, index to, Moved& moved);
};

} // namespace allot::detail

#include <allot/structure/slot_map_compact.hpp>
#include <allot/structure/slot_map_iterator.hpp>
