// ledger: the books per tag: who holds how many bytes, in how many blocks, at most and ever.
//
// One per program, heap or tenant. Sources write into it (tracked_source, tagged_heap, an account of your
// own); whoever wants numbers reads usage(tag), or report.hpp's table. For a limit take a budget.
// Owns a page per tag that was ever entered (from its upstream, until it dies). Borrows upstream and
// observer. Its upstream must not be a source that it keeps books of.
// Threads: any thread reads and writes at any time. Making and destroying need quiet.
// Cost: writing: see account.hpp. Reading: a lock and a walk over the tag's accounts. 8.3 KiB, and 80 bytes a
// tag.
// Errors: exact when no thread is inside a call; else live is off by at most behind_bytes_max = cells ×
// batch, and so is the peak. The peak of a tag with one account and one thread is exact.
// Fork: the child's books are whole, less at most one half-made entry for each other thread.
// Fatal (level on): `allot: fatal: ledger 'x': died with an open account of tag 'parse'`. At every level: `…:
// a batch of N bytes` below 2.
//
//     ledger books({.name = "app"});
//     tracked_source nodes({.upstream = &malloc_source, .books = &books, .whose = tags::node});
//     void* block = nodes.allocate(layout{.size = 100});
//     assert(books.usage(tags::node).live_bytes == 100);
//     nodes.deallocate(block, {.size = 100});
//     assert(books.usage(tags::node).live_bytes == 0 && books.usage(tags::node).total_count == 1);
#pragma once

#include <allot/core/bytes.hpp>
#include <allot/core/memory_source.hpp>
#include <allot/core/name.hpp>
#include <allot/core/observer.hpp>
#include <allot/core/usage.hpp>
#include <allot/governance/account.hpp>
#include <allot/governance/tag.hpp>
#include <allot/platform/thread_slots.hpp>
#include <atomic>
#include <cstdint>

namespace allot {

struct ledger_options {
    allot::name name = "ledger";
    memory_source* upstream = nullptr; // nullptr: default_source()
    // How many bytes a thread may be away from the shared totals, 2 or more.
    std::uint64_t batch_bytes = kibibytes(64);
    allot::observer* observer = nullptr; // told of healed and unbalanced books
};

class ledger {
public:
    explicit ledger(ledger_options wanted = {}) noexcept;
    ~ledger();
    ledger(const ledger&) = delete;
    ledger& operator=(const ledger&) = delete;

    // The tag alone; live_*, peak_live_bytes, total_*, refused_count, behind_bytes_max. Frees are
    // total_count − live_count.
    allot::usage usage(tag whose) const noexcept;
    // The tag and all below it; of tag(): everything.
    allot::usage usage_of_tree(tag whose) const noexcept;
    // How often books were set right, and by how many bytes in sum.
    std::uint64_t healed_count() const noexcept { return healed_count_.load(std::memory_order_relaxed); }
    std::uint64_t healed_bytes() const noexcept { return healed_bytes_.load(std::memory_order_relaxed); }

    // Makes the tag's page, so that an account of it cannot fail to open. False on shortage.
    [[nodiscard]] bool try_open(tag whose) noexcept { return page_of(whose) != nullptr; }

    // A block of this account came back to another one, which saw it and entered nothing: counted, and told
    // to the observer as healed.
    void wrong_free(const account& owner, std::uint64_t bytes) noexcept {
        healed(owner, {.live_bytes = static_cast<std::int64_t>(bytes), .live_count = 1});
    }

    const allot::name& name() const noexcept { return name_; }
    allot::observer* observer() const noexcept { return observer_; }

private:
    friend class account;

    detail::tag_page* page_of(tag whose) noexcept; // makes it, and its ancestors'; nullptr on shortage
    void healed(const account& whose, account::balance_sheet wrong) noexcept;
    struct tree_sum;
    void add_page(const detail::tag_page& page, tree_sum& sum) const noexcept; // under the mutex
    static allot::usage finish(tree_sum sum, const detail::live_total& total) noexcept;

    allot::name name_;
    memory_source& upstream_;
    allot::observer* observer_;
    std::uint64_t batch_bytes_;
    std::atomic<std::uint64_t> healed_count_ = 0;
    std::atomic<std::uint64_t> healed_bytes_ = 0;
    mutable detail::fork_mutex mutex_;                          // the pages and their lists of accounts
    std::atomic<detail::tag_page*> pages_[tag::count_max] = {}; // by the tag's index
};

} // namespace allot
