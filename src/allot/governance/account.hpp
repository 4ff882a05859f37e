// account: one source's page in a ledger: what it handed out and took back, counted per thread.
//
// tracked_source and tagged_heap keep one each; take one for a source of your own that should stand in the
// ledger. For a limit take a budget.
// Owns its cells (64 bytes per thread that wrote, from the ledger's upstream). Borrows the ledger, which
// outlives it.
// Threads: any thread may write at any time, also a block's free in another thread than its allocation;
// making and destroying need quiet.
// Cost: an entry is a handful of plain loads and stores on the thread's own cache line, without an atomic
// read-modify-write; about every half batch (options of the ledger) the bytes go to the shared totals. Beyond
// 128 threads at a time, and where there is no room for a cell, an entry is a few shared atomics. 1.1 KiB.
// Errors: exact when no thread is inside a call; while they write, live is off by at most threads × batch
// (usage.behind_bytes_max), and so is the peak. With one writing thread the peak is exact.
//
//     account page(books, tags::node);
//     page.enter(100);                      // after the block was got
//     page.change(100, 120);                // resized: one free, one allocation, no peak of 220
//     page.leave(120);                      // before the block goes back
//     assert(page.usage().live_bytes == 0 && page.usage().peak_live_bytes == 120);
#pragma once

#include <allot/core/bulk_observer.hpp>
#include <allot/core/usage.hpp>
#include <allot/governance/tag.hpp>
#include <allot/platform/thread_slots.hpp>
#include <atomic>
#include <cstdint>

namespace allot {

class ledger;

namespace detail {

struct tag_page; // tag_page.hpp

// What many threads share: posted to once per batch.
struct live_total {
    std::atomic<std::int64_t> bytes = 0;
    mutable std::atomic<std::int64_t> peak = 0;

    void note(std::int64_t seen) const noexcept; // raises the peak
    // `high` is the highest that the poster's pending bytes were since it posted last: with one poster the
    // peak is exact, with more it is off by what the others had pending.
    void post(std::int64_t more, std::int64_t high) noexcept {
        note(bytes.fetch_add(more, std::memory_order_relaxed) + high);
    }
};

} // namespace detail

class account {
public:
    // Throws: out_of_memory, when there is no room for the tag's page.
    account(ledger& books, tag whose);
    // What is live by the books is taken out of the tag's live numbers, and counted as healed.
    ~account();
    account(const account&) = delete;
    account& operator=(const account&) = delete;

    void enter(std::uint64_t bytes) noexcept {
        cell* const own = cells_[detail::thread_slot()].load(std::memory_order_relaxed);
        if (!own) [[unlikely]]
            return post_shared(static_cast<std::int64_t>(bytes), {bytes, 1}, 0);
        add(own->allocated_bytes, bytes);
        add(own->allocated_count, 1);
        const std::int64_t pending = own->pending.load(std::memory_order_relaxed) + to_signed(bytes);
        if (pending >= flush_bytes_) [[unlikely]]
            return flush(*own, pending);
        own->pending.store(pending, std::memory_order_relaxed);
        if (pending > own->high.load(std::memory_order_relaxed))
            own->high.store(pending, std::memory_order_relaxed);
    }
    void leave(std::uint64_t bytes) noexcept { leave_many({.live_bytes = bytes, .live_count = 1}); }
    void leave_many(bulk_free gone) noexcept {
        cell* const own = cells_[detail::thread_slot()].load(std::memory_order_relaxed);
        if (!own) [[unlikely]]
            return post_shared(-to_signed(gone.live_bytes), {}, gone.live_count);
        add(own->freed_count, gone.live_count);
        const std::int64_t pending =
            own->pending.load(std::memory_order_relaxed) - to_signed(gone.live_bytes);
        if (pending <= -flush_bytes_) [[unlikely]]
            return flush(*own, pending);
        own->pending.store(pending, std::memory_order_relaxed);
    }
    // A block's size changed: one free and one allocation, the bytes move by the difference.
    void change(std::uint64_t old_bytes, std::uint64_t new_bytes) noexcept;
    void refused() noexcept { refused_count_.fetch_add(1, std::memory_order_relaxed); }

    // Sets the live numbers to what the caller knows to be true. What was wrong is counted in the ledger and
    // told to its observer as `healed`. Expects: quiet.
    void heal(bulk_free truth = {}) noexcept;

    // live_*, peak_live_bytes, total_*, refused_count, behind_bytes_max. Live numbers below zero (blocks came
    // back that never went out) read as zero here; balance() tells.
    allot::usage usage() const noexcept;
    struct balance_sheet {
        std::int64_t live_bytes = 0;
        std::int64_t live_count = 0;
    };
    balance_sheet balance() const noexcept;

    tag whose() const noexcept { return whose_; }
    ledger& books() const noexcept { return books_; }

private:
    friend class ledger;

    // One writer, the thread of its slot; pending is what the shared totals do not have yet:
    // live == total_.bytes + sum of pending, |pending| < flush_bytes_, pending <= high, 0 <= high.
    struct alignas(64) cell {
        std::atomic<std::int64_t> pending = 0;
        std::atomic<std::int64_t> high = 0; // the highest pending since the last flush
        std::atomic<std::uint64_t> allocated_bytes = 0;
        std::atomic<std::uint64_t> allocated_count = 0;
        std::atomic<std::uint64_t> freed_count = 0;
    };
    struct block_count {
        std::uint64_t bytes = 0;
        std::uint64_t count = 0;
    };
    struct sums {
        std::int64_t pending = 0;
        std::int64_t high = 0; // the highest of a cell
        std::uint64_t allocated_bytes = 0;
        std::uint64_t allocated_count = 0;
        std::uint64_t freed_count = 0;
        std::uint64_t cell_count = 0;
    };

    static std::int64_t to_signed(std::uint64_t bytes) noexcept { return static_cast<std::int64_t>(bytes); }
    // The owner's own counter: published, not shared.
    static void add(std::atomic<std::uint64_t>& counter, std::uint64_t more) noexcept {
        counter.store(counter.load(std::memory_order_relaxed) + more, std::memory_order_relaxed);
    }

    cell* own_cell() noexcept; // makes it; nullptr: none is to be had
    void flush(cell& own, std::int64_t pending) noexcept;
    void post_shared(std::int64_t bytes, block_count allocated, std::uint64_t freed) noexcept;
    void post(std::int64_t bytes, std::int64_t high) noexcept; // to all shared totals; under a slot's mutex
    sums sum() const noexcept;
    void close() noexcept;

    ledger& books_;
    detail::tag_page* page_ = nullptr;
    account* next_ = nullptr; // in the page's list, under the ledger's mutex
    std::int64_t flush_bytes_;
    tag whose_;

    detail::live_total total_;
    // What threads without a cell entered, and what was healed.
    std::atomic<std::uint64_t> shared_allocated_bytes_ = 0;
    std::atomic<std::uint64_t> shared_allocated_count_ = 0;
    std::atomic<std::uint64_t> shared_freed_count_ = 0;
    std::atomic<std::uint64_t> refused_count_ = 0;
    std::atomic<cell*> cells_[detail::thread_slot_count + 1] = {}; // [0] stays nullptr
};

} // namespace allot
