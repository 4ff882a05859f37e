// How the values of a slot_map move together: packed segments, and the way to the front. Included by
// slot_map_parts.hpp.
#pragma once

#include <allot/structure/slot_map_parts.hpp>

namespace allot::detail {

template <class T, std::uint32_t SegmentSlots>
T* slot_store<T, SegmentSlots>::find_packed(std::uint64_t wanted) const noexcept {
    const auto slot = static_cast<index>(wanted);
    if (slot >= slot_bound) return nullptr;
    const slot_segment& segment = segments[slot / SegmentSlots];
    if (!segment.packed) return nullptr;
    const slot_packed from = packed(segment);
    const slot_packed_words& word = from.words[slot % SegmentSlots / 64];
    if (!(word.live >> slot % 64 & 1)) return nullptr;
    const std::uint32_t place = slot_packed::place(word, slot % 64);
    return from.generations[place] == wanted >> 32 ? packed_value(from, place) : nullptr;
}

template <class T, std::uint32_t SegmentSlots>
bool slot_store<T, SegmentSlots>::erase_packed(std::uint64_t gone) noexcept {
    T* const value = find_packed(gone);
    if (value) destroy_packed(static_cast<index>(gone), value);
    return value != nullptr;
}

template <class T, std::uint32_t SegmentSlots>
void slot_store<T, SegmentSlots>::destroy_packed(index slot, T* value) noexcept {
    const std::uint32_t at = slot / SegmentSlots;
    segments[at].packed[slot % SegmentSlots / 64].live &= ~(std::uint64_t{1} << slot % 64);
    ++erased_count;
    --packed_live_count;
    ++packed_depth;
    destroy_value(value); // may erase others; the block stays until the outermost is through
    if (--packed_depth == 0 && live_count_in(at) == 0) replace(at, {});
}

template <class T, std::uint32_t SegmentSlots>
bool slot_store<T, SegmentSlots>::wants_packing(std::uint32_t at) const noexcept {
    const std::uint32_t live = live_count_in(at);
    if (segments[at].packed) return live <= segments[at].packed_count / 2;
    return is_present(at) && live <= SegmentSlots / 2 && is_settled(at);
}

// The segment's values side by side in a block of their number; false on shortage.
template <class T, std::uint32_t SegmentSlots>
bool slot_store<T, SegmentSlots>::pack(std::uint32_t at) noexcept {
    const std::uint32_t live = live_count_in(at);
    const slot_packed to = allocate_packed(live);
    if (!to.words) return false;
    const index first = at * SegmentSlots;
    std::uint32_t place = 0;
    for (index i = 0; i != SegmentSlots / 64; ++i) {
        const std::uint64_t here = live_word(first + i * 64);
        to.words[i] = {.stored = here, .live = here, .before = place};
        place += static_cast<std::uint32_t>(std::popcount(to.words[i].stored));
    }
    place = 0;
    for (index slot = next_live(first); slot < first + SegmentSlots; slot = next_live(slot + 1), ++place) {
        T* const value = value_of(slot);
        to.generations[place] = handle_of(slot).generation();
        std::construct_at(packed_value(to, place), std::move(*value));
        destroy_value(value);
    }
    if (is_present(at)) packed_live_count += live;
    replace(at, to);
    return true;
}

template <class T, std::uint32_t SegmentSlots>
std::uint64_t slot_store<T, SegmentSlots>::pack_all() noexcept {
    const std::uint64_t before = usage().held_bytes;
    (void)trim(); // first, so that there is room for the rest
    for (std::uint32_t at = 0; at != segment_count(); ++at)
        if (wants_packing(at) && !pack(at)) break;
    const std::uint64_t after = usage().held_bytes;
    return before > after ? before - after : 0;
}

template <class T, std::uint32_t SegmentSlots>
auto slot_store<T, SegmentSlots>::first_spare(index from) const noexcept -> index {
    for (; from < slot_bound; from = (from | 63) + 1) {
        const std::uint64_t spare = words_of(from).spare >> from % 64;
        if (spare != 0) return from + static_cast<index>(std::countr_zero(spare));
    }
    return no_slot;
}

// In a present segment; no_slot: none.
template <class T, std::uint32_t SegmentSlots>
auto slot_store<T, SegmentSlots>::last_live(index below) const noexcept -> index {
    while (below != 0) {
        const std::uint64_t live = words_of(below - 1).live << (63 - (below - 1) % 64);
        if (live != 0) return below - 1 - static_cast<index>(std::countl_zero(live));
        below = (below - 1) & ~index{63};
    }
    return no_slot;
}

template <class T, std::uint32_t SegmentSlots>
template <class Moved>
void slot_store<T, SegmentSlots>::move_one(index from, index to, Moved& moved) {
    T* const value = value_of(from);
    const handle old = handle_of(from);
    words_of(to).spare &= ~(std::uint64_t{1} << to % 64);
    const std::uint64_t peak = peak_live_count;
    const handle now = construct(to, std::move(*value));
    destroy(from, value);
    --inserted_count; // it is the same value
    --erased_count;
    peak_live_count = peak;
    moved(old, now);
}

template <class T, std::uint32_t SegmentSlots>
template <class Moved>
std::uint64_t slot_store<T, SegmentSlots>::move_to_front(Moved& moved) {
    const std::uint64_t before = usage().held_bytes;
    index to = first_spare(0);
    // What is packed first: its segment is spare again once it is empty.
    for (std::uint32_t at = 0; at != segment_count() && to != no_slot; ++at) {
        if (!segments[at].packed) continue;
        const index end = (at + 1) * SegmentSlots;
        for (index from = next_live(at * SegmentSlots); from < end && to != no_slot;
             from = next_live(from + 1)) {
            move_one(from, to, moved);
            to = first_spare(to);
        }
    }
    index from = to == no_slot ? no_slot : last_live(slot_bound);
    while (from != no_slot && to < from) {
        move_one(from, to, moved);
        to = first_spare(to);
        from = last_live(from);
    }
    (void)trim();
    return before - usage().held_bytes;
}

} // namespace allot::detail
