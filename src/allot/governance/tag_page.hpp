// tag_page: the shared totals of one tag in one ledger. Inner part of ledger and account.
//
// Order: all totals are relaxed atomics, for they publish no other memory: a reader wants numbers, each of
// them some value that was true. What must be exact is exact when writers are quiet, and quiet is an order
// that the program makes itself (a join, a lock). A transfer from a cell to the totals comes in two stores,
// the totals first: a reader in between sees the batch twice, which the bound allows.
// Threads: totals any; the list and the `closed` sums under the ledger's mutex.
#pragma once

#include <allot/governance/account.hpp>
#include <allot/governance/tag.hpp>
#include <atomic>
#include <cstdint>

namespace allot::detail {

struct tag_page {
    tag whose;
    tag_page* parent = nullptr; // nullptr: the root's
    account* first = nullptr;
    live_total own;  // of this tag's accounts
    live_total tree; // and of all below

    // Of accounts that are closed; their live numbers are zero, but for the counts' difference.
    std::uint64_t closed_allocated_bytes = 0;
    std::uint64_t closed_allocated_count = 0;
    std::uint64_t closed_refused_count = 0;

    void post(std::int64_t more, std::int64_t high) noexcept {
        own.post(more, high);
        for (tag_page* each = this; each; each = each->parent) each->tree.post(more, high);
    }
};

} // namespace allot::detail
