#include <algorithm>
#include <allot/core/checks.hpp>
#include <allot/core/contract.hpp>
#include <allot/governance/ledger.hpp>
#include <allot/governance/tag_page.hpp>
#include <allot/source/default_source.hpp>
#include <new>

namespace allot {

ledger::ledger(ledger_options wanted) noexcept
    : name_(wanted.name),
      upstream_(wanted.upstream ? *wanted.upstream : default_source()),
      observer_(wanted.observer),
      batch_bytes_(wanted.batch_bytes) {
    ALLOT_EXPECT(batch_bytes_ >= 2, "ledger '", name_.view(), "': a batch of ", batch_bytes_, " bytes");
}

ledger::~ledger() {
    for (std::atomic<detail::tag_page*>& each : pages_) {
        detail::tag_page* const page = each.load(std::memory_order_relaxed);
        if (!page) continue;
        ALLOT_CHECK(!page->first, "ledger '", name_.view(), "': died with an open account of tag '",
                    page->whose.name().view(), "'");
        page->~tag_page();
        upstream_.deallocate(page, layout_of<detail::tag_page>());
    }
}

// Two threads may make the page at once: the second one gives its back. A page is published by a release
// exchange; whoever reads it without the mutex acquires it.
detail::tag_page* ledger::page_of(tag whose) noexcept {
    std::atomic<detail::tag_page*>& place = pages_[whose.index()];
    if (detail::tag_page* const page = place.load(std::memory_order_acquire)) return page;
    detail::tag_page* const parent = whose == tag() ? nullptr : page_of(whose.parent());
    if (!parent && whose != tag()) return nullptr;
    void* const memory = upstream_.try_allocate(layout_of<detail::tag_page>());
    if (!memory) return nullptr;
    auto* const made = new (memory) detail::tag_page;
    made->whose = whose;
    made->parent = parent;
    detail::tag_page* first = nullptr;
    if (place.compare_exchange_strong(first, made, std::memory_order_acq_rel, std::memory_order_acquire))
        return made;
    made->~tag_page();
    upstream_.deallocate(memory, layout_of<detail::tag_page>());
    return first;
}

// The sums of some tags, live numbers still signed: an account may be below zero where another is too high.
struct ledger::tree_sum {
    std::int64_t live_bytes = 0;
    std::int64_t live_count = 0;
    std::int64_t pending = 0;
    std::int64_t high = 0;
    allot::usage totals;
};

void ledger::add_page(const detail::tag_page& page, tree_sum& sum) const noexcept {
    sum.live_bytes += page.own.bytes.load(std::memory_order_relaxed);
    sum.totals.total_bytes += page.closed_allocated_bytes;
    sum.totals.total_count += page.closed_allocated_count;
    sum.totals.refused_count += page.closed_refused_count;
    for (const account* each = page.first; each; each = each->next_) {
        const account::sums all = each->sum();
        sum.pending += all.pending;
        sum.high = std::max(sum.high, all.high);
        sum.live_count +=
            static_cast<std::int64_t>(all.allocated_count) - static_cast<std::int64_t>(all.freed_count);
        sum.totals.total_bytes += all.allocated_bytes;
        sum.totals.total_count += all.allocated_count;
        sum.totals.refused_count += each->refused_count_.load(std::memory_order_relaxed);
        sum.totals.behind_bytes_max += all.cell_count * batch_bytes_;
    }
}

usage ledger::finish(tree_sum sum, const detail::live_total& total) noexcept {
    sum.live_bytes += sum.pending;
    total.note(std::max(sum.live_bytes, total.bytes.load(std::memory_order_relaxed) + sum.high));
    sum.totals.live_bytes = static_cast<std::uint64_t>(std::max(sum.live_bytes, std::int64_t{0}));
    sum.totals.live_count = static_cast<std::uint64_t>(std::max(sum.live_count, std::int64_t{0}));
    sum.totals.peak_live_bytes = static_cast<std::uint64_t>(total.peak.load(std::memory_order_relaxed));
    return sum.totals;
}

usage ledger::usage(tag whose) const noexcept {
    const detail::fork_mutex::guard hold(mutex_);
    const detail::tag_page* const page = pages_[whose.index()].load(std::memory_order_acquire);
    if (!page) return {};
    tree_sum sum;
    add_page(*page, sum);
    return finish(sum, page->own);
}

usage ledger::usage_of_tree(tag whose) const noexcept {
    const detail::fork_mutex::guard hold(mutex_);
    const detail::tag_page* const top = pages_[whose.index()].load(std::memory_order_acquire);
    if (!top) return {};
    tree_sum sum;
    // Parents come before their children, so nothing of the tree stands before `whose`.
    for (std::size_t index = whose.index(); index < tag::count(); ++index) {
        const detail::tag_page* const page = pages_[index].load(std::memory_order_acquire);
        if (page && page->whose.is_within(whose)) add_page(*page, sum);
    }
    return finish(sum, top->tree);
}

void ledger::healed(const account& whose, account::balance_sheet wrong) noexcept {
    const auto magnitude = [](std::int64_t value) {
        return static_cast<std::uint64_t>(value < 0 ? -value : value);
    };
    healed_count_.fetch_add(1, std::memory_order_relaxed);
    healed_bytes_.fetch_add(magnitude(wrong.live_bytes), std::memory_order_relaxed);
    if (!observer_) return;
    observer_->observe({.what = event::type::healed,
                        .who = whose.whose().name(),
                        .kind = "ledger",
                        .bytes = magnitude(wrong.live_bytes),
                        .count = magnitude(wrong.live_count),
                        .live_bytes = whose.usage().live_bytes});
}

} // namespace allot
