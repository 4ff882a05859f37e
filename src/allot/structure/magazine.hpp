// magazine: a cache of pointers that many threads share. Inner part of the concurrent pools.
//
// Each thread has two magazines of some pointers; full and empty ones cross threads whole, through a depot.
// An item that this thread put in last is the next that it takes out.
// Owns its magazines (from upstream), never the items: who destroys it has drained it. Borrows upstream,
// which must be thread_safe; it is called outside of any lock of this class.
// Threads: any; construction, destruction and drain(magazine_reach::all) need quiet. A thread's cell is found
// by its slot (thread_slots): nothing per thread outlives the cache, the next thread on a slot continues the
// cell, and threads without a slot are served under the depot's lock.
// Cost: take and put: about 9 instructions each, no atomic read-modify-write; every `magazine_items` of them
// a lock. 64 bytes and two magazines for each thread that ever came by; about 1.1 KiB for itself. No
// allocation in steady state: a magazine is made only when more items lie here than ever before (B28).
//
// Errors: read() is exact when no other thread is inside a call. try_take() finds none though some lie in the
// cells of other running threads: fewer than 2 * magazine_items for each; the cells of ended threads are
// emptied first. The same holds for try_put() at kept_count_max: it is never overrun (B27), but other
// threads' magazines may keep room for as many.
// Fork: the child goes on with all cells; an item that another thread had just in hand may be missing.
//
//     detail::magazine_cache cache(default_source(), {.magazine_items = 4});
//     int one = 1, two = 2;
//     assert(cache.try_take() == nullptr && cache.try_put(&one) && cache.try_put(&two));
//     assert(cache.try_take() == &two && cache.read().kept == 1 && cache.read().taken == 1);
//     cache.drain([](void* item) { assert(item != nullptr); });
//     assert(cache.read().kept == 0);
#pragma once

#include <allot/core/memory_source.hpp>
#include <allot/platform/thread_slots.hpp>
#include <atomic>
#include <cstdint>

namespace allot::detail {

struct magazine_block;

// In its word lie the number of its items (the low 8 bits) and how often one was taken since it came into its
// cell, so that both take one addition. Written by one thread, read by any.
//
// Ordering: the items have no atomics. Only the thread that holds the slot touches the magazines of its cell;
// they come and go under the depot's mutex, and the slot passes from an ended thread to the next, or to who
// empties its cell, under the registry's. So every hand that an item passes through is ordered by a mutex.
// The word is stored after the item (release), so that whoever sees a count in the memory of a forked child
// finds its items there.
struct alignas(64) magazine {
    std::atomic<std::uint64_t> word = 0;
    std::uint32_t room = 0; // so many items may lie here: what it has of the cache's kept_count_max
    magazine* next = nullptr;
    magazine_block* home = nullptr;

    static constexpr std::uint64_t one_taken = (std::uint64_t{1} << 8) - 1; // one item fewer, one taken more
    static constexpr std::uint32_t items_max = 252;
    std::uint32_t count() const noexcept { return word.load(std::memory_order_relaxed) & 0xFF; }
    std::uint64_t taken() const noexcept { return word.load(std::memory_order_relaxed) >> 8; }
    void add(std::uint64_t change) noexcept { // by its one writer
        word.store(word.load(std::memory_order_relaxed) + change, std::memory_order_release);
    }
    void** items() noexcept { return reinterpret_cast<void**>(&home + 1); }
};

// What a thread has. Only `loaded` changes outside of the depot's lock, in one store: a fork finds each
// magazine in one place.
struct alignas(64) magazine_cell {
    std::atomic<magazine*> loaded;
    magazine* pair[2];
    std::uintptr_t note[3] = {}; // what the cache's owner keeps here for this thread
    unsigned index_of_loaded() const noexcept { return loaded.load(std::memory_order_relaxed) != pair[0]; }
    magazine* other() const noexcept { return pair[1 - index_of_loaded()]; }
};

struct magazine_options {
    static constexpr std::uint32_t items_usual = 252; // a magazine takes 2 KiB

    std::uint32_t magazine_items = items_usual; // 1 … items_max
    std::uint64_t kept_count_max = static_cast<std::uint64_t>(-1);
};

// Which items: what can be had while others work (this thread's, the depot's, those of ended threads), or
// all.
enum class magazine_reach : std::uint8_t { quiet_threads, all };

class magazine_cache {
public:
    magazine_cache(memory_source& upstream, magazine_options how) noexcept;
    ~magazine_cache();
    magazine_cache(const magazine_cache&) = delete;
    magazine_cache& operator=(const magazine_cache&) = delete;

    // nullptr: none is to be had.
    [[nodiscard]] void* try_take() noexcept {
        magazine* const from = own_magazine();
        const std::uint64_t word = from->word.load(std::memory_order_relaxed);
        const std::uint64_t count = word & 0xFF;
        if (count == 0) [[unlikely]]
            return take_slowly();
        void* const item = from->items()[count - 1];
        from->word.store(word + magazine::one_taken, std::memory_order_relaxed);
        return item;
    }
    // False: it would be more than kept_count_max, or no memory for a magazine. After a try_reserve() of as
    // many items as there are, neither can be for lack of memory.
    [[nodiscard]] bool try_put(void* item) noexcept {
        magazine* const to = own_magazine();
        const std::uint64_t word = to->word.load(std::memory_order_relaxed);
        const std::uint64_t count = word & 0xFF;
        if (count == to->room) [[unlikely]]
            return put_slowly(item);
        to->items()[count] = item;
        to->word.store(word + 1, std::memory_order_release);
        return true;
    }

    // Magazines for so many items, wherever they lie. False on upstream's shortage.
    [[nodiscard]] bool try_reserve(std::uint64_t item_count) noexcept;

    // Calls visit(item) for each, outside of any lock; they are not here any more.
    template <class Visit>
    void drain(Visit visit, magazine_reach reach = magazine_reach::quiet_threads) noexcept {
        magazine* const all = detach(reach);
        for (magazine* each = all; each; each = each->next) {
            const std::uint32_t count = each->count();
            each->add(0 - std::uint64_t{count});
            for (std::uint32_t i = count; i-- != 0;) visit(each->items()[i]);
        }
        attach(all);
    }
    // The same by hand: a list of magazines to change at will, and to give back. kept counts them as gone
    // meanwhile. nullptr also where the depot's lock was not free until the deadline (monotonic_ns), or is
    // this thread's.
    [[nodiscard]] magazine* detach(magazine_reach reach, std::uint64_t deadline_ns = no_deadline) noexcept;
    void attach(magazine* all) noexcept;
    // Magazines that are not needed go upstream; all are needed for reserved_count items.
    void trim(std::uint64_t reserved_count) noexcept;

    struct numbers {
        std::uint64_t kept = 0;  // items
        std::uint64_t taken = 0; // ever, by try_take
    };
    numbers read() const noexcept;
    // Taken from upstream, in bytes of good_size().
    std::uint64_t held_bytes() const noexcept { return held_bytes_.load(std::memory_order_relaxed); }
    std::uint64_t magazine_items() const noexcept { return magazine_items_; }
    std::uint64_t cell_count() const noexcept { return cell_count_.load(std::memory_order_relaxed); }
    // This thread's, or one whose notes are 0.
    const magazine_cell& cell() const noexcept {
        return *cells_[thread_slot()].load(std::memory_order_relaxed);
    }
    void note(const std::uintptr_t (&words)[3]) noexcept;
    // So many items may lie out of reach of a thread.
    std::uint64_t early_count_max() const noexcept {
        return cell_count() < 2 ? 0 : (cell_count() - 1) * 2 * magazine_items_;
    }
    // Aborts where an invariant does not hold. Needs quiet.
    void check() const noexcept;

    static constexpr std::uint64_t no_deadline = static_cast<std::uint64_t>(-1);

private:
    struct stack {
        magazine* first = nullptr;
        std::uint64_t count = 0;
        void push(magazine* each) noexcept;
        magazine* pop() noexcept;
    };

    magazine* own_magazine() const noexcept { return cell().loaded.load(std::memory_order_relaxed); }
    // Those that end in _locked are called under the depot's mutex.
    [[gnu::noinline]] void* take_slowly() noexcept;
    [[gnu::noinline]] bool put_slowly(void* item) noexcept;
    magazine_cell* own_cell() noexcept; // nullptr: none is to be had
    magazine_cell* make_cell() noexcept;
    bool refill_locked(magazine_cell& own) noexcept;
    bool make_room_locked(magazine_cell& own) noexcept;
    void* take_from_rest_locked() noexcept;
    bool put_into_rest_locked(void* item) noexcept;
    void exchange_locked(magazine_cell& own, unsigned index, magazine* next) noexcept;
    void accept_locked(magazine* each) noexcept;
    magazine* pop_full_locked() noexcept;
    void push_full_locked(magazine* full) noexcept;
    bool grant_locked(magazine* to) noexcept;
    void fold_locked(magazine* from) noexcept;
    void empty_cell_locked(magazine_cell& cell) noexcept;
    void empty_quiet_cells_locked() noexcept;
    magazine_block* make_block(std::uint64_t count, std::size_t head_bytes) noexcept;
    bool add_magazines(std::uint64_t count) noexcept;
    layout block_layout(std::uint64_t count, std::size_t head_bytes) const noexcept;
    void give_up(magazine_block* block) noexcept;

    // By slot. Where a thread has none yet, and at slot 0, stands nobody_. nothing_ has neither items nor
    // room.
    std::atomic<magazine_cell*> cells_[thread_slot_count + 1];
    magazine nothing_;
    magazine_cell nobody_;

    memory_source& upstream_;
    const std::uint32_t magazine_items_;
    const std::size_t magazine_stride_;
    const std::uint64_t kept_count_max_;
    std::atomic<std::uint64_t> held_bytes_ = 0;

    mutable fork_mutex mutex_; // guards all that follows, and each cell's pair
    stack full_;
    stack empty_;
    magazine* rest_ =
        nullptr; // the one that is partly filled, or empty, or full; serves threads without a cell
    std::uint64_t kept_in_full_ = 0;
    std::uint64_t taken_ = 0;          // of magazines that left their cells
    std::uint64_t room_left_;          // of kept_count_max: what no magazine has
    std::uint64_t magazine_count_ = 0; // without those that came with cells
    std::atomic<std::uint64_t> cell_count_ = 0;
    magazine_block* blocks_ = nullptr;
};

} // namespace allot::detail
