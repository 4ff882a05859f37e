// concurrent_pool: slots of one size that any thread takes and any thread gives back.
//
// Use it for objects of one type that come and go in many threads, also those that one thread makes and
// another destroys. Where one thread does it all take pool; where the limit must be exact to the last slot
// while other threads hold free ones, concurrent_bounded_pool; for objects, constructed and destroyed,
// concurrent_typed_pool.
// Owns its slabs: they go upstream by trim(), reclaim() or with the pool. Borrows upstream, which must be
// thread_safe, and observer.
// Each thread keeps some free slots in two magazines; full ones cross threads whole, so that what one thread
// only takes and another only gives back goes round at two locks for each magazine. A thread's newest free
// slot is its next. Slots that an ended thread kept are found again. No slot is touched before it is handed
// out, but at level on, where a magazine's worth is.
// As a memory_source it serves every layout that fits a slot, and refuses the others.
// Threads: any. Construction and destruction need quiet; the destructor may run while slots lie in the
// magazines of threads that run on. Fork: the child may use the pool; a slot that another thread had just in
// hand is not found again there.
// Cost: about 10 instructions each way at level off, no lock and no atomic read-modify-write; the slot itself
// is not touched. At level on a pair takes about twice as many. A lock each way once per magazine. 1.3 KiB
// for itself, two magazines of up to 2 KiB for each thread, and 8 bytes per slot for magazines.
// Counting what is live and total costs nothing: both lie in one word with what a magazine needs anyway.
//
// The limit is never overrun. A slot may be refused though free ones lie with other running threads: fewer
// than usage().early_bytes_max. With `slot_count_max` a magazine has a 32nd of that, so that this is a 16th
// for each thread.
//
// Fatal, at level on and full (PLACE is an address):
//     concurrent_pool 'NAME': slot PLACE given back twice
//     concurrent_pool 'NAME': slot PLACE was written to after it was given back
//     concurrent_pool 'NAME': PLACE is no slot of this pool
//     concurrent_pool 'NAME': PLACE lies N bytes into slot PLACE
//     concurrent_pool 'NAME': a block of N bytes (aligned to N) is larger than its slots of N bytes (aligned to N)
//     concurrent_pool 'NAME': a slot of N bytes (aligned to N) cannot be [at level off, too]
//     concurrent_pool 'NAME': upstream 'NAME' is not for many threads [at level off, too]
// At level on the first 8 bytes of a free slot are watched, at level full all of them. What two threads give
// back at the very same instant is seen as a write when it is handed out again.
//
//     concurrent_pool jobs({.name = "jobs", .slot = {.size = 64}, .slot_count_max = 2});
//     void* first = jobs.allocate();
//     void* second = jobs.try_allocate();
//     assert(jobs.try_allocate() == nullptr); // exhausted; allocate() would throw out_of_memory
//     std::thread([&] { jobs.deallocate(first); }).join();
//     assert(jobs.allocate() == first);       // what the ended thread kept
//     assert(jobs.usage().live_count == 2 && jobs.owns(second));
#pragma once

#include <allot/core/checks.hpp>
#include <allot/core/memory_source.hpp>
#include <allot/core/name.hpp>
#include <allot/core/observer.hpp>
#include <allot/core/poison.hpp>
#include <allot/core/reclaimable.hpp>
#include <allot/structure/concurrent_pool_slabs.hpp>
#include <allot/structure/magazine.hpp>
#include <allot/structure/pool.hpp>
#include <cstdint>
#include <cstring>

namespace allot {

struct concurrent_pool_options {
    allot::name name = "concurrent pool";
    layout slot;                       // what a slot must hold
    memory_source* upstream = nullptr; // default_source()
    std::uint64_t slot_count_max = usage::unlimited;
    std::uint64_t limit_bytes = usage::unlimited; // of what is taken from upstream, book-keeping included
    slab_sizes slabs = {};
    bool line_aligned = false;           // no two slots share a cache line (64 bytes)
    std::uint32_t magazine_slots = 0;    // at most 252; 0: by the slots' size and number
    allot::observer* observer = nullptr; // is told when the pool dies with live slots
};

class concurrent_pool final : public memory_source, public reclaimable {
public:
    // Takes nothing from upstream yet. Expects: a valid slot layout.
    explicit concurrent_pool(const concurrent_pool_options& options) noexcept;
    // Slots that still live are a leak: the observer is told, and their memory goes upstream all the same.
    ~concurrent_pool() override;

    // A slot, uninitialised; nullptr on shortage, with last_refusal().
    [[nodiscard]] void* try_allocate() noexcept {
        void* const slot = cache_.try_take();
        if (!slot) [[unlikely]]
            return allocate_new();
        if constexpr (checks != check_level::off) check_out(slot);
        mark_fresh(slot, slot_.size);
        return slot;
    }
    // Throws: out_of_memory.
    [[nodiscard]] void* allocate() {
        void* const slot = try_allocate();
        if (!slot) [[unlikely]]
            throw_out_of_memory();
        return slot;
    }
    // Expects: a live slot of this pool; not nullptr.
    void deallocate(void* slot) noexcept {
        if constexpr (checks != check_level::off)
            check_in(slot);
        else
            mark_dead(slot, stride_);
        if (!cache_.try_put(slot)) [[unlikely]]
            fatal_no_magazine();
    }

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
        ALLOT_CHECK(fits(given), "concurrent_pool '", name_.view(), "': a block of ", given.size,
                    " bytes (aligned to ", given.align, ") is larger than its slots of ", slot_.size,
                    " bytes (aligned to ", slot_.align, ")");
        if (slot) deallocate(slot);
    }
    using memory_source::allocate;
    using memory_source::deallocate;

    // Slabs for so many slots more than are live now; other threads may take them. False: not all could be
    // had.
    bool try_reserve(std::uint64_t slot_count) noexcept;
    // Slabs without a live slot go upstream, unless another running thread keeps a slot of them in its
    // magazines. Returns their bytes. Cost: O(free slots).
    std::uint64_t trim() noexcept { return reclaim({}); }
    reclaim_manner manner() const noexcept override { return reclaim_manner::concurrent; }
    std::uint64_t reclaim(reclaim_request wish) noexcept override;

    // Whether the address lies in one of the slots, live or not.
    bool owns(const void* address) const noexcept;
    // Aborts as deallocate() would, unless the slot lives. Does nothing at level off.
    void expect_live(void* slot) noexcept {
        if constexpr (checks == check_level::off) return;
        expect_slot(slot);
        if (first_of(slot) == guard_of(slot)) [[unlikely]]
            fatal_twice(slot);
    }
    layout slot() const noexcept { return slot_; }
    std::size_t stride() const noexcept { return stride_; }                 // from one slot to the next
    std::uint64_t capacity() const noexcept { return slabs_.slot_count(); } // slots, live or not
    const allot::name& name() const noexcept { return name_; }

    // Exact when no other thread is inside a call, but peak_live_bytes: that is live and free ones of
    // magazines together, at most early_bytes_max + a magazine above live's peak. Fills all; limit_bytes and
    // early_bytes_max only if the pool has a limit. describe() says the same.
    allot::usage usage() const noexcept;
    // Aborts where an invariant of the pool does not hold. Needs quiet. Cost: O(slots).
    void check() const noexcept;

private:
    bool fits(layout wanted) const noexcept {
        return wanted.size <= slot_.size && wanted.align <= slot_.align;
    }
    // Lies in the first 8 bytes of every free slot, and in none that lives; at level full the others are
    // 0xDD.
    std::uint64_t guard_of(const void* slot) const noexcept {
        return reinterpret_cast<std::uintptr_t>(slot) ^ guard_;
    }
    static std::uint64_t first_of(void* slot) noexcept {
        std::uint64_t first = 0;
        mark_live(slot, sizeof first); // the object may be smaller
        std::memcpy(&first, slot, sizeof first);
        return first;
    }
    void mark_in(void* slot) noexcept {
        const std::uint64_t guard = guard_of(slot);
        if constexpr (checks == check_level::full) mark_dead(slot, stride_); // fills it
        mark_live(slot, sizeof guard);
        std::memcpy(slot, &guard, sizeof guard);
        if constexpr (poisons) detail::mark_dead(slot, stride_, false);
    }
    void mark_out(void* slot) noexcept {
        const std::uint64_t live = ~guard_of(slot);
        mark_live(slot, sizeof live);
        std::memcpy(slot, &live, sizeof live);
    }
    void expect_slot(const void* address) noexcept;
    void check_out(void* slot) noexcept;
    void check_in(void* slot) noexcept;
    bool is_filled(void* slot) const noexcept; // but for the guard

    void* do_try_allocate(layout wanted) noexcept override { return concurrent_pool::try_allocate(wanted); }
    void do_give_back(void* slot, layout given) noexcept override {
        concurrent_pool::deallocate(slot, given);
    }
    bool do_try_resize(void*, layout given, std::size_t new_size) noexcept override {
        return fits({new_size, given.align});
    }
    std::size_t do_good_size(layout wanted) const noexcept override {
        return fits(wanted) ? slot_.size : wanted.size;
    }
    source_traits do_traits() const noexcept override { return {.thread_safe = true}; }
    source_description do_describe() const noexcept override;

    [[gnu::cold]] void* refuse(layout wanted) noexcept;
    [[gnu::cold, gnu::noinline]] void* allocate_new() noexcept; // this thread finds no free slot
    [[gnu::noinline]] void look_up(const void* slot) noexcept;  // fatal where it is none
    [[noreturn, gnu::cold]] void fatal_twice(const void* slot) const noexcept;
    [[noreturn, gnu::cold]] void fatal_written(const void* slot) const noexcept;
    [[noreturn, gnu::cold]] void fatal_foreign(const void* address) const noexcept;
    [[noreturn, gnu::cold]] void fatal_no_magazine() const noexcept;

    bool grow(std::uint64_t slot_count_wanted) noexcept; // under growing_, as all below
    std::uint64_t count_for(std::uint64_t slot_count_wanted) const noexcept;
    layout slab_layout(std::uint64_t slot_count) const noexcept;
    void give_up_free_slabs(detail::magazine* all) noexcept;
    void give_up(std::size_t index) noexcept;
    void note_limit() noexcept;
    void tell_client() noexcept;
    void release() noexcept; // needs quiet

    std::size_t stride_;
    std::uint64_t reciprocal_; // 2^64 / stride_, rounded up
    std::uint64_t guard_;
    layout slot_;
    const allot::name name_;
    allot::observer* observer_; // borrowed
    const std::uint64_t slot_count_max_;
    const slab_sizes slab_sizes_;
    detail::concurrent_pool_upstream upstream_;
    detail::magazine_cache cache_;

    // growing_ is held while slabs come and go; nothing that a thread holds while it calls describe() may be
    // waited for there, since upstream is called under it.
    mutable detail::fork_mutex growing_;
    detail::concurrent_pool_slabs slabs_;
    std::size_t next_slab_bytes_;
    detail::owned_counter cut_count_; // handed out or put into magazines at least once; so live == cut - kept
    detail::owned_counter peak_cut_count_;
    detail::owned_counter first_count_; // slots that allocate_new() handed out without the cache's knowledge
    detail::owned_counter slab_count_;
    detail::shared_counter refused_count_;
    std::uint64_t client_id_ = 0; // under `allot run`; 0: never told
};

// This thread's cell notes the slab that it met last: first slot, bytes of cut slots, and slabs_.version()
// then.
inline void concurrent_pool::expect_slot(const void* address) noexcept {
    const detail::magazine_cell& own = cache_.cell();
    const std::uint64_t offset = reinterpret_cast<std::uintptr_t>(address) - own.note[0];
    if (offset >= own.note[1] || own.note[2] != slabs_.version()) [[unlikely]]
        return look_up(address);
    // Lemire, Kaser, Kurz: Faster remainder by direct computation (2019): the product's low half is below the
    // reciprocal where the division leaves no rest.
    if (offset * reciprocal_ >= reciprocal_) [[unlikely]]
        fatal_foreign(address);
}

inline void concurrent_pool::check_out(void* slot) noexcept {
    if (first_of(slot) != guard_of(slot) || (checks == check_level::full && !is_filled(slot))) [[unlikely]]
        fatal_written(slot);
    mark_out(slot);
}

// A slot that was written to while it was free may come back twice here; then it is seen on its way out.
inline void concurrent_pool::check_in(void* slot) noexcept {
    expect_slot(slot);
    if (first_of(slot) == guard_of(slot)) [[unlikely]]
        fatal_twice(slot);
    mark_in(slot);
}

} // namespace allot
