// How a table takes and gives memory: entries, texts, segments and directories. The order of stores is argued
// in interner_table.hpp.
#include <algorithm>
#include <allot/core/bytes.hpp>
#include <allot/core/contract.hpp>
#include <allot/core/out_of_memory.hpp>
#include <allot/core/poison.hpp>
#include <allot/structure/interner_table.hpp>
#include <bit>
#include <memory>
#include <new>

namespace allot::detail {

namespace {

constexpr std::uint32_t depth_max = 23; // with the 9 bits of a place in a segment, all of a hash

} // namespace

void* interner_table::take(layout wanted) noexcept {
    const std::uint64_t cost = how_.upstream->good_size(wanted);
    const std::uint64_t held = held_bytes();
    if (cost > how_.limit_bytes || held > how_.limit_bytes - cost) {
        note_limit(wanted);
        return nullptr;
    }
    void* const taken = how_.upstream->try_allocate(wanted);
    if (!taken) {
        refuse();
        return nullptr;
    }
    if (reinterpret_cast<std::uintptr_t>(taken) >> address_bits != 0) [[unlikely]] {
        how_.upstream->deallocate(taken, wanted); // an entry has no room for such an address
        note_limit(wanted);
        return nullptr;
    }
    held_bytes_.store(held + cost, std::memory_order_relaxed);
    held_count_.store(held_count_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    if (held + cost > peak_held_bytes_.load(std::memory_order_relaxed))
        peak_held_bytes_.store(held + cost, std::memory_order_relaxed);
    return taken;
}

void interner_table::give(void* address, layout given) noexcept {
    held_bytes_.store(held_bytes() - how_.upstream->good_size(given), std::memory_order_relaxed);
    held_count_.store(held_count_.load(std::memory_order_relaxed) - 1, std::memory_order_relaxed);
    how_.upstream->deallocate(address, given);
}

interner_directory* interner_table::make_directory(std::uint64_t count, interner_directory* older) noexcept {
    void* const taken = take(interner_directory::layout_for(count));
    if (!taken) return nullptr;
    auto* const made = new (taken) interner_directory{.older = older, .count = count};
    for (std::uint64_t i = 0; i != count; ++i) new (made->places() + i) std::atomic<void*>(nullptr);
    return made;
}

// Room for the entry of the next symbol.
bool interner_table::ready_entry() noexcept {
    const std::uint32_t index = count_.load(std::memory_order_relaxed);
    if (base_ + index >= static_cast<std::uint32_t>(-2)) { // all numbers were given
        note_limit({.size = sizeof(entry_word), .align = alignof(entry_word)});
        return false;
    }
    if (index % entry_count != 0) return true;
    const interner_directory* const directory = entries_.load(std::memory_order_relaxed);
    if ((!directory || index >> entry_bits == directory->count) && !grow_entries()) return false;
    std::atomic<void*>& place = entries_.load(std::memory_order_relaxed)->places()[index >> entry_bits];
    if (place.load(std::memory_order_relaxed)) return true; // an insertion failed behind this
    void* const taken = take({sizeof(entry_word) * entry_count, alignof(entry_word)});
    if (!taken) return false;
    auto* const words = static_cast<entry_word*>(taken);
    for (std::uint32_t i = 0; i != entry_count; ++i) new (words + i) entry_word(0);
    place.store(words, std::memory_order_release);
    return true;
}

bool interner_table::grow_entries() noexcept {
    interner_directory* const old = entries_.load(std::memory_order_relaxed);
    interner_directory* const grown = make_directory(old ? old->count * 2 : 8, old);
    if (!grown) return false;
    for (std::uint64_t i = 0; old && i != old->count; ++i)
        grown->places()[i].store(old->places()[i].load(std::memory_order_relaxed), std::memory_order_relaxed);
    entries_.store(grown, std::memory_order_release);
    return true;
}

// A text that would waste more than a quarter of a chunk gets one of its own.
char* interner_table::ready_text(std::size_t size) noexcept {
    if (static_cast<std::size_t>(text_end_ - text_at_) >= size) return text_at_;
    const bool is_apart = size > chunk_bytes_ / 4;
    std::size_t bytes = chunk_bytes_;
    if (is_apart && !checked_add(size, sizeof(interner_text_chunk), bytes)) {
        note_limit({.size = size, .align = 1});
        return nullptr;
    }
    void* const taken = take({bytes, alignof(interner_text_chunk)});
    if (!taken) return nullptr;
    chunks_ = new (taken) interner_text_chunk{.older = chunks_, .size = bytes};
    char* const first = reinterpret_cast<char*>(chunks_ + 1);
    if (is_apart) return first;
    text_at_ = first;
    text_end_ = static_cast<char*>(taken) + bytes;
    allot::mark_dead(text_at_, bytes - sizeof(interner_text_chunk));
    free_bytes_.store(static_cast<std::uint64_t>(text_end_ - text_at_), std::memory_order_relaxed);
    chunk_bytes_ = std::min(chunk_bytes_ * 2, chunk_bytes_max);
    return text_at_;
}

interner_segment* interner_table::make_segment(std::uint64_t state) noexcept {
    void* const taken = take(layout_of<interner_segment>());
    if (!taken) return nullptr;
    auto* const made = new (taken) interner_segment;
    made->state.store(state, std::memory_order_relaxed);
    made->older = newest_segment_;
    newest_segment_ = made;
    return made;
}

// One with room for a text of this hash.
interner_segment* interner_table::ready_segment(std::uint32_t hash) noexcept {
    if (segments_.load(std::memory_order_relaxed) == 0) {
        interner_segment* const first = make_segment(0);
        interner_directory* const directory = first ? make_directory(1, nullptr) : nullptr;
        if (!directory) {
            if (first) { // the next insertion makes it anew
                newest_segment_ = first->older;
                std::destroy_at(first);
                give(first, layout_of<interner_segment>());
            }
            return nullptr;
        }
        directory->places()[0].store(first, std::memory_order_relaxed);
        segments_.store(reinterpret_cast<std::uintptr_t>(directory), std::memory_order_release);
    }
    for (;;) {
        interner_segment* const own = segment_of(segments_.load(std::memory_order_relaxed), hash);
        if (own->used < interner_segment::used_max) return own;
        // Hashes that are spread reach three bits more than their mean at most; further splits would only be
        // of equal hashes. What is chained once stays chained.
        const std::uint32_t depth = interner_segment::depth(own->state.load(std::memory_order_relaxed));
        const auto usual = static_cast<std::uint32_t>(std::bit_width(count() / interner_segment::used_max));
        if (own->next.load(std::memory_order_relaxed) || depth >= std::min(depth_max, usual + 3))
            return chain(own);
        if (!split(*own)) return nullptr;
    }
}

// The newest of a chain stands right behind its head.
interner_segment* interner_table::chain(interner_segment* head) noexcept {
    interner_segment* const newest = head->next.load(std::memory_order_relaxed);
    if (newest && newest->used < interner_segment::used_max) return newest;
    interner_segment* const made = make_segment(head->state.load(std::memory_order_relaxed));
    if (!made) return nullptr;
    made->next.store(newest, std::memory_order_relaxed);
    head->next.store(made, std::memory_order_release);
    return made;
}

bool interner_table::grow_directory(std::uint32_t depth) noexcept {
    auto* const old =
        reinterpret_cast<interner_directory*>(segments_.load(std::memory_order_relaxed) - depth);
    interner_directory* const grown = make_directory(old->count * 2, old);
    if (!grown) return false;
    for (std::uint64_t i = 0; i != grown->count; ++i)
        grown->places()[i].store(old->places()[i / 2].load(std::memory_order_relaxed),
                                 std::memory_order_relaxed);
    segments_.store(reinterpret_cast<std::uintptr_t>(grown) + depth + 1, std::memory_order_release);
    return true;
}

namespace {

using slot_image = std::uint64_t[interner_segment::slot_count];

void put(slot_image& image, std::uint64_t slot) noexcept {
    for (std::uint64_t at = slot >> 32;; ++at)
        if (std::uint64_t& place = image[at % interner_segment::slot_count]; place == 0) {
            place = slot;
            return;
        }
}

} // namespace

// Those whose next bit is 1 go into a new segment.
bool interner_table::split(interner_segment& full) noexcept {
    const std::uint64_t state = full.state.load(std::memory_order_relaxed);
    const std::uint32_t depth = interner_segment::depth(state);
    const auto directory_depth = static_cast<std::uint32_t>(segments_.load(std::memory_order_relaxed) &
                                                            (alignof(interner_directory) - 1));
    if (depth == directory_depth && !grow_directory(depth)) return false;
    const std::uint64_t prefix = state >> 8 << 1;
    interner_segment* const other = make_segment((prefix | 1) << 8 | (depth + 1));
    if (!other) return false;

    slot_image stays{};
    slot_image goes{};
    full.used = 0;
    for (const std::atomic<std::uint64_t>& each : full.slots) {
        const std::uint64_t slot = each.load(std::memory_order_relaxed);
        if (slot == 0) continue;
        const bool moves = (slot >> (63 - depth) & 1) != 0;
        put(moves ? goes : stays, slot);
        ++(moves ? *other : full).used;
    }
    for (std::uint32_t i = 0; i != interner_segment::slot_count; ++i)
        other->slots[i].store(goes[i], std::memory_order_relaxed);

    const std::uintptr_t word = segments_.load(std::memory_order_relaxed);
    const std::uint64_t span = std::uint64_t{1} << ((word & (alignof(interner_directory) - 1)) - (depth + 1));
    auto* const places =
        reinterpret_cast<interner_directory*>(word & ~(alignof(interner_directory) - 1))->places();
    for (std::uint64_t i = 0; i != span; ++i)
        places[(prefix | 1) * span + i].store(other, std::memory_order_release);

    full.state.store(state | interner_segment::splitting, std::memory_order_relaxed);
    for (std::uint32_t i = 0; i != interner_segment::slot_count; ++i)
        if (full.slots[i].load(std::memory_order_relaxed) != stays[i])
            full.slots[i].store(stays[i], std::memory_order_release);
    full.state.store(prefix << 8 | (depth + 1), std::memory_order_release);
    return true;
}

void interner_table::free_directories(interner_directory* newest) noexcept {
    while (newest) {
        interner_directory* const gone = newest;
        newest = gone->older;
        give(gone, interner_directory::layout_for(gone->count));
    }
}

void interner_table::clear(numbers_go where) noexcept {
    if (interner_directory* const directory = entries_.load(std::memory_order_relaxed))
        for (std::uint64_t i = 0; i != directory->count; ++i)
            if (void* const words = directory->places()[i].load(std::memory_order_relaxed))
                give(words, {sizeof(entry_word) * entry_count, alignof(entry_word)});
    free_directories(entries_.load(std::memory_order_relaxed));
    const std::uintptr_t segments = segments_.load(std::memory_order_relaxed);
    free_directories(reinterpret_cast<interner_directory*>(segments & ~(alignof(interner_directory) - 1)));
    while (interner_segment* const gone = newest_segment_) {
        newest_segment_ = gone->older;
        std::destroy_at(gone);
        give(gone, layout_of<interner_segment>());
    }
    while (interner_text_chunk* const gone = chunks_) {
        chunks_ = gone->older;
        const std::size_t size = gone->size;
        allot::mark_live(gone, size);
        give(gone, {size, alignof(interner_text_chunk)});
    }
    entries_.store(nullptr, std::memory_order_relaxed);
    segments_.store(0, std::memory_order_relaxed);
    if (where == numbers_go::on) base_ += count();
    count_.store(0, std::memory_order_relaxed);
    text_at_ = text_end_ = nullptr;
    chunk_bytes_ = chunk_bytes_min;
    text_bytes_.store(0, std::memory_order_relaxed);
    free_bytes_.store(0, std::memory_order_relaxed);
}

} // namespace allot::detail
