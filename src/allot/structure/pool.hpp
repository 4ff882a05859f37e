// pool: slots of one size and alignment, cut from slabs of an upstream; any may be given back at any time.
//
// Use it for many objects of one type that come and go singly. For objects that all go at once take arena;
// for objects of one type, constructed and destroyed, typed_pool; across threads put synchronized_source over
// it.
// Owns its slabs: they go upstream by trim(), release() or with the pool. Borrows upstream and observer.
// A freed slot is the next to be handed out. The first slab is taken at the first slot, and no slot is
// touched before it is handed out. Without a bound the pool grows slab by slab, each twice as large as the
// one before. As a memory_source it serves every layout that fits a slot, and refuses the others.
// Threads: compatible (one thread at a time). describe() from any, see there.
// Cost: a pair takes 8 instructions at level off, where the list of free slots lies in the slots, and 40 at
// level on, where it lies beside them (4 bytes more per slot), each slot finds its slab by a table, and is
// looked at on its way in and out. A slot's first time takes about 50. A slab takes 72 bytes for itself, at
// level on 200, from 16 KiB on up to 584.
//
// A slot counts as live with its whole size: what a smaller layout leaves unused is not slack.
//
// Fatal, at level on and full (PLACE is an address):
//     pool 'NAME': slot PLACE given back twice
//     pool 'NAME': slot PLACE was written to after it was given back
//     pool 'NAME': PLACE is no slot of this pool
//     pool 'NAME': PLACE lies N bytes into slot PLACE
//     pool 'NAME': a block of N bytes (aligned to N) is larger than its slots of N bytes (aligned to N)
//     pool 'NAME': a slot of N bytes (aligned to N) cannot be [at level off, too]
// At level on the first 8 bytes of a free slot are watched, at level full all of them.
//
//     pool sessions({.name = "sessions", .slot = {.size = 64, .align = 64}, .slot_count_max = 2});
//     void* first = sessions.allocate();
//     void* second = sessions.try_allocate();
//     assert(sessions.try_allocate() == nullptr); // exhausted; allocate() would throw out_of_memory
//     sessions.deallocate(first);
//     assert(sessions.allocate() == first);
//     assert(sessions.usage().live_count == 2 && sessions.owns(second));
#pragma once

#include <allot/core/checks.hpp>
#include <allot/core/memory_source.hpp>
#include <allot/core/name.hpp>
#include <allot/core/observer.hpp>
#include <allot/core/poison.hpp>
#include <allot/source/block_counters.hpp>
#include <allot/structure/pool_slab.hpp>
#include <cstdint>
#include <cstring>
#include <utility>

namespace allot {

// What a pool asks upstream for: bytes_min first, then the double each time, up to bytes_max. A slab holds
// one slot at the least.
struct slab_sizes {
    std::size_t bytes_min = kibibytes(4);
    std::size_t bytes_max = mebibytes(2); // huge pages, from default_source() and page_source
};
inline constexpr slab_sizes node_slabs{.bytes_min = kibibytes(4), .bytes_max = kibibytes(4)};
inline constexpr slab_sizes edge_slabs{.bytes_min = kibibytes(8), .bytes_max = kibibytes(8)};
inline constexpr slab_sizes buffer_slabs{.bytes_min = kibibytes(64), .bytes_max = kibibytes(64)};

struct pool_options {
    allot::name name = "pool";
    layout slot;                       // what a slot must hold
    memory_source* upstream = nullptr; // default_source()
    std::uint64_t slot_count_max = usage::unlimited;
    std::uint64_t limit_bytes = usage::unlimited; // of what is taken from upstream, book-keeping included
    slab_sizes slabs = {};
    std::uint64_t slab_slot_count = 0;   // so many slots in each slab, whatever `slabs` says; 0: as that says
    bool line_aligned = false;           // no two slots share a cache line (64 bytes)
    allot::observer* observer = nullptr; // is told when the pool dies with live slots
};

namespace detail {

struct free_slot { // what lies in a free slot at level off
    free_slot* next;
};

} // namespace detail

class pool final : public memory_source {
public:
    // Takes nothing from upstream yet. Expects: a valid slot layout.
    explicit pool(const pool_options& options) noexcept;
    // Slots that still live are a leak: the observer is told, and their memory goes upstream all the same.
    ~pool() override;

    // A slot, uninitialised; nullptr on shortage, with last_refusal().
    [[nodiscard]] void* try_allocate() noexcept;
    // Throws: out_of_memory.
    [[nodiscard]] void* allocate() {
        void* const slot = try_allocate();
        if (!slot) [[unlikely]]
            throw_out_of_memory();
        return slot;
    }
    // Expects: a live slot of this pool; not nullptr.
    void deallocate(void* slot) noexcept;

    [[nodiscard]] void* try_allocate(layout wanted) noexcept {
        return fits(wanted) ? try_allocate() : refuse(wanted);
    }
    [[nodiscard]] void* allocate(layout wanted) {
        void* const slot = try_allocate(wanted);
        if (!slot) [[unlikely]]
            throw_out_of_memory();
        return slot;
    }
    void deallocate(void* slot, layout given) noexcept {
        ALLOT_CHECK(fits(given), "pool '", name_.view(), "': a block of ", given.size, " bytes (aligned to ",
                    given.align, ") is larger than its slots of ", slot_.size, " bytes (aligned to ",
                    slot_.align, ")");
        if (slot) deallocate(slot);
    }
    using memory_source::allocate;
    using memory_source::deallocate;

    // Slabs for so many slots more than are live, so that these cannot fail. False: not all could be had.
    bool try_reserve(std::uint64_t slot_count) noexcept;
    // Slabs without a live slot go upstream. Returns their bytes. Cost: O(slots).
    std::uint64_t trim() noexcept;
    // All slabs go upstream, live slots with them. Invalidates: every slot.
    void release() noexcept;

    // Whether the address lies in a slot that was handed out at least once, be it live or free now.
    // Cost: a binary search of the slabs.
    bool owns(const void* address) const noexcept;
    // Aborts as deallocate() would, unless the slot lives. Does nothing at level off.
    void expect_live(const void* slot) const noexcept;
    layout slot() const noexcept { return slot_; }
    std::size_t stride() const noexcept { return stride_; }             // from one slot to the next
    std::uint64_t capacity() const noexcept { return capacity_count_; } // slots, live or not
    const allot::name& name() const noexcept { return name_; }

    // Exact, for the owner. Fills all but early_bytes_max; limit_bytes only if the pool has one.
    // describe() has the numbers of the last slab, new slot, refusal or trim: behind_bytes_max bounds the
    // difference.
    allot::usage usage() const noexcept;
    // Aborts where an invariant of the pool does not hold. Cost: O(slots).
    void check() const noexcept;

private:
    using index = std::uint32_t;
    static constexpr std::size_t inline_slab_count = 4;
    static constexpr std::size_t map_places_min =
        16; // for each slab; there are a few times more than granules
    static constexpr std::size_t map_places_max = 64; // where slabs are large
    static constexpr std::size_t inline_map_size = inline_slab_count * map_places_min;
    static constexpr index no_slot = static_cast<index>(-1);
    static constexpr index live_slot = static_cast<index>(-2);    // the link of a slot that lives
    static constexpr std::uint64_t guard = 0xFFFF'FFFF'DDDD'DDDD; // fits a sign-extended 32-bit immediate

    bool fits(layout wanted) const noexcept {
        return wanted.size <= slot_.size && wanted.align <= slot_.align;
    }
    bool is_untouched(void* slot) const noexcept {
        if constexpr (checks == check_level::full) return is_filled(slot);
        std::uint64_t first = 0;
        mark_live(slot, sizeof first);
        std::memcpy(&first, slot, sizeof first);
        return first == guard;
    }
    bool is_filled(void* slot) const noexcept; // with what mark_dead() leaves at level full
    void* do_try_allocate(layout wanted) noexcept override { return pool::try_allocate(wanted); }
    void do_give_back(void* slot, layout given) noexcept override;
    bool do_try_resize(void* slot, layout given, std::size_t new_size) noexcept override;
    std::size_t do_good_size(layout wanted) const noexcept override;
    source_description do_describe() const noexcept override;

    [[gnu::cold]] void* refuse(layout wanted) noexcept;
    [[gnu::cold]] void note_limit() noexcept;
    [[gnu::noinline]] void* allocate_new() noexcept; // the list is empty
    // Another slab has the slot's place in the map, or it is a bug.
    [[gnu::noinline]] void deallocate_elsewhere(void* slot) noexcept;
    void take_back(void* slot, detail::pool_slab* home, std::uint64_t at) noexcept; // level on
    void list_newest() noexcept; // at its slab's list; level on
    void settle() noexcept;      // the newest goes to the others
    std::uint64_t slot_number(const void* slot, const detail::pool_slab& home) const noexcept;
    [[noreturn, gnu::cold]] void fatal_twice(const void* slot) const noexcept;
    [[noreturn, gnu::cold]] void fatal_written(const void* slot) const noexcept;
    [[noreturn, gnu::cold]] void fatal_foreign(const void* address) const noexcept;

    void* cut() noexcept; // hands out a slot for the first time; nullptr: no slab has one
    detail::pool_slab* grow(std::uint64_t slot_count_wanted) noexcept;
    bool make_room_in_table() noexcept;
    detail::pool_slab* enter(void* block, std::uint64_t slot_count) noexcept;
    void give_up(detail::pool_slab* slab) noexcept;
    void map_all_slabs() noexcept;
    bool map(detail::pool_slab* slab) noexcept;
    std::size_t granule_count(const detail::pool_slab& slab) const noexcept;
    void count_free_slots_by_slab() noexcept;
    void drop_free_slots_of_empty_slabs() noexcept;
    void move_table(void* block, std::size_t slab_capacity, std::size_t map_places) noexcept;
    void give_up_table() noexcept;
    void give_up_all() noexcept;
    void check_free_slots() const noexcept;
    detail::pool_slab* find(const void* address) const noexcept;
    layout slab_layout(std::uint64_t slot_count) const noexcept;
    layout table_layout(std::size_t slab_capacity, std::size_t map_places) const noexcept;
    std::uint64_t slots_in(std::uint64_t bytes) const noexcept;
    void hold(std::uint64_t bytes) noexcept;
    std::uint64_t listed_count() const noexcept { return entered_count_ - left_count_; }
    std::uint64_t freed_count() const noexcept { return entered_count_ + turned_count_ + (newest_ ? 1 : 0); }
    std::uint64_t live_count() const noexcept { return cut_count_ - listed_count() - (newest_ ? 1 : 0); }
    std::uint64_t total_count() const noexcept { return freed_count() + live_count(); }
    std::uint64_t peak_count() const noexcept {
        return peak_cut_count_ > cut_count_ ? peak_cut_count_ : cut_count_;
    }
    void publish() noexcept;
    void tell_client() noexcept;

    // Every slot that was ever cut from a slab lives, is in a list, or is the newest free one; and a slot is
    // cut only while none is free. So
    //     live + listed_count() + (newest_ ? 1 : 0) == cut_count_,  live + freed_count() == total,
    // and the highest cut_count_ is the exact peak of live, at no cost. A slot that goes and comes at once moves
    // one counter; a loop that only gives back, or only takes, moves one that no other step reads.
    //
    // The slot given back last waits by itself: most often it is the next to go out, and then no step waits
    // for the one before. When another comes back it joins the others:
    //
    // Level off: a list through the slots, over all slabs. Level on: each slab has its list, of indices
    // beside its slots, where no use after free can damage it. A slab that was given a slot waits in waiting_
    // until its list is found empty. The link of a slot that lives, and of the newest, is live_slot.
    //
    // Addresses find their slab by map_: its place for a granule (a power of two of bytes, so small that a
    // slab takes several) names the slab that has most of it. Where that is wrong, or granules share a place,
    // a binary search answers.
    std::byte* newest_ = nullptr;
    detail::free_slot* free_ = nullptr;                  // level off
    index* newest_link_ = nullptr;                       // level on, as all to map_shift_
    detail::pool_slab* newest_slab_ = nullptr;           //
    detail::pool_slab* waiting_ = &detail::no_pool_slab; // stack of slabs
    detail::pool_slab** map_ = inline_map_;              // map_mask_ + 1 of them
    std::size_t map_mask_ = inline_map_size - 1;
    unsigned map_shift_ = 0;
    std::size_t stride_;
    std::uint64_t reciprocal_;        // 2^64 / stride_, rounded up
    std::uint64_t entered_count_ = 0; // slots that came on a list, ever
    std::uint64_t left_count_ = 0;    // … and left one
    std::uint64_t turned_count_ = 0;  // the newest, handed out again; and what release() ended
    layout slot_;

    const allot::name name_;
    memory_source& upstream_;   // borrowed
    allot::observer* observer_; // borrowed
    const std::uint64_t slot_count_max_;
    const std::uint64_t limit_bytes_;
    const slab_sizes slab_sizes_;
    const std::uint64_t slab_slot_count_;

    detail::pool_slab* uncut_ = nullptr; // stack of slabs with slots that were never handed out
    detail::pool_slab* spare_ = nullptr; // stack of records
    detail::pool_slab* records_ = inline_records_;
    detail::pool_slab_key* keys_ = inline_keys_; // slab_count_ of them, by address
    std::size_t slab_count_ = 0;
    std::size_t slab_capacity_ = inline_slab_count;
    std::size_t record_count_ = 0; // records that were ever used: the first ones
    detail::pool_slab inline_records_[inline_slab_count];
    detail::pool_slab_key inline_keys_[inline_slab_count];
    detail::pool_slab* inline_map_[inline_map_size];
    std::size_t map_places_ = map_places_min; // for each slab of slab_capacity_
    std::size_t map_granule_count_ = 0;       // in the map
    std::size_t next_slab_bytes_;
    std::uint64_t capacity_count_ = 0;
    std::uint64_t cut_count_ = 0;
    std::uint64_t peak_cut_count_ = 0; // before the last trim
    std::uint64_t held_bytes_ = 0;
    std::uint64_t peak_held_bytes_ = 0;
    std::uint64_t refused_count_ = 0;
    std::uint64_t client_id_ = 0; // under `allot run`; 0: never told

    struct counts {
        std::uint64_t live, peak, total, refused, capacity, held_bytes, peak_held_bytes, slabs;
    };
    allot::usage usage_of(const counts& now) const noexcept;
    struct {
        detail::owned_counter live, peak, total, refused, capacity, held_bytes, peak_held_bytes, slabs;
    } published_;
};

} // namespace allot

#include <allot/structure/pool_inline.hpp>
