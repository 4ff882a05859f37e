#include <algorithm>
#include <allot/core/out_of_memory.hpp>
#include <allot/governance/account.hpp>
#include <allot/governance/ledger.hpp>
#include <allot/governance/tag_page.hpp>
#include <new>

// Danger: counters without a lock. What carries it stands in thread_slots.hpp (one writer per cell, hand-over
// of a slot, fork) and tag_page.hpp (why relaxed is enough, and what a reader may see).

namespace allot {

void detail::live_total::note(std::int64_t seen) const noexcept {
    std::int64_t known = peak.load(std::memory_order_relaxed);
    while (seen > known && !peak.compare_exchange_weak(known, seen, std::memory_order_relaxed)) {
    }
}

account::account(ledger& books, tag whose)
    : books_(books), flush_bytes_(to_signed(books.batch_bytes_ / 2)), whose_(whose) {
    page_ = books.page_of(whose);
    if (!page_) throw_out_of_memory();
    const detail::fork_mutex::guard hold(books.mutex_);
    next_ = page_->first;
    page_->first = this;
}

account::~account() {
    heal();
    close();
    for (std::atomic<cell*>& each : cells_)
        if (cell* const gone = each.load(std::memory_order_relaxed)) {
            gone->~cell();
            books_.upstream_.deallocate(gone, layout_of<cell>());
        }
}

// Moves the totals to the page, whose live numbers lose what was posted there and never taken back.
void account::close() noexcept {
    const detail::fork_mutex::guard hold(books_.mutex_);
    const sums all = sum();
    page_->post(-total_.bytes.load(std::memory_order_relaxed), all.high);
    page_->closed_allocated_bytes += all.allocated_bytes;
    page_->closed_allocated_count += all.allocated_count;
    page_->closed_refused_count += refused_count_.load(std::memory_order_relaxed);
    account** link = &page_->first;
    while (*link != this) link = &(*link)->next_;
    *link = next_;
}

account::cell* account::own_cell() noexcept {
    const std::uint32_t slot = detail::take_thread_slot();
    if (slot == 0) return nullptr;
    cell* made = cells_[slot].load(std::memory_order_relaxed);
    if (made) return made;
    void* const place = books_.upstream_.try_allocate(layout_of<cell>());
    if (!place) return nullptr;
    made = new (place) cell;
    cells_[slot].store(made, std::memory_order_release);
    return made;
}

void account::flush(cell& own, std::int64_t pending) noexcept {
    const light_mutex::guard whole_at_fork(detail::slot_mutex(detail::thread_slot()));
    post(pending, std::max(pending, own.high.load(std::memory_order_relaxed)));
    own.pending.store(0, std::memory_order_relaxed);
    own.high.store(0, std::memory_order_relaxed);
}

void account::post(std::int64_t bytes, std::int64_t high) noexcept {
    total_.post(bytes, high);
    page_->post(bytes, high);
}

// The way of a thread without a cell, and of one that makes its cell now.
void account::post_shared(std::int64_t bytes, block_count allocated, std::uint64_t freed) noexcept {
    if (own_cell()) {
        if (allocated.count != 0) return enter(allocated.bytes);
        return leave_many({.live_bytes = static_cast<std::uint64_t>(-bytes), .live_count = freed});
    }
    const light_mutex::guard whole_at_fork(detail::slot_mutex(detail::thread_slot()));
    shared_allocated_bytes_.fetch_add(allocated.bytes, std::memory_order_relaxed);
    shared_allocated_count_.fetch_add(allocated.count, std::memory_order_relaxed);
    shared_freed_count_.fetch_add(freed, std::memory_order_relaxed);
    post(bytes, std::max(bytes, std::int64_t{0}));
}

void account::change(std::uint64_t old_bytes, std::uint64_t new_bytes) noexcept {
    const std::int64_t more = to_signed(new_bytes) - to_signed(old_bytes);
    cell* const own = own_cell();
    if (!own) {
        const light_mutex::guard whole_at_fork(detail::slot_mutex(detail::thread_slot()));
        shared_allocated_bytes_.fetch_add(new_bytes, std::memory_order_relaxed);
        shared_allocated_count_.fetch_add(1, std::memory_order_relaxed);
        shared_freed_count_.fetch_add(1, std::memory_order_relaxed);
        return post(more, std::max(more, std::int64_t{0}));
    }
    add(own->allocated_bytes, new_bytes);
    add(own->allocated_count, 1);
    add(own->freed_count, 1);
    const std::int64_t pending = own->pending.load(std::memory_order_relaxed) + more;
    if (pending >= flush_bytes_ || pending <= -flush_bytes_) return flush(*own, pending);
    own->pending.store(pending, std::memory_order_relaxed);
    if (pending > own->high.load(std::memory_order_relaxed))
        own->high.store(pending, std::memory_order_relaxed);
}

void account::heal(bulk_free truth) noexcept {
    balance_sheet wrong = balance();
    wrong.live_bytes -= to_signed(truth.live_bytes);
    wrong.live_count -= to_signed(truth.live_count);
    if (wrong.live_bytes == 0 && wrong.live_count == 0) return;
    {
        const light_mutex::guard whole_at_fork(detail::slot_mutex(detail::thread_slot()));
        // What never came back is as good as freed; what never went out, as allocated: but for no bytes in
        // the total, since nobody got any.
        auto& short_of = wrong.live_count > 0 ? shared_freed_count_ : shared_allocated_count_;
        const std::int64_t difference = wrong.live_count > 0 ? wrong.live_count : -wrong.live_count;
        short_of.fetch_add(static_cast<std::uint64_t>(difference), std::memory_order_relaxed);
        post(-wrong.live_bytes, sum().high);
    }
    books_.healed(*this, wrong);
}

account::sums account::sum() const noexcept {
    sums all{.allocated_bytes = shared_allocated_bytes_.load(std::memory_order_relaxed),
             .allocated_count = shared_allocated_count_.load(std::memory_order_relaxed),
             .freed_count = shared_freed_count_.load(std::memory_order_relaxed)};
    for (const std::atomic<cell*>& each : cells_) {
        const cell* const one = each.load(std::memory_order_acquire);
        if (!one) continue;
        all.pending += one->pending.load(std::memory_order_relaxed);
        all.high = std::max(all.high, one->high.load(std::memory_order_relaxed));
        all.allocated_bytes += one->allocated_bytes.load(std::memory_order_relaxed);
        all.allocated_count += one->allocated_count.load(std::memory_order_relaxed);
        all.freed_count += one->freed_count.load(std::memory_order_relaxed);
        ++all.cell_count;
    }
    return all;
}

account::balance_sheet account::balance() const noexcept {
    const std::int64_t posted = total_.bytes.load(std::memory_order_relaxed);
    const sums all = sum();
    return {.live_bytes = posted + all.pending,
            .live_count = to_signed(all.allocated_count) - to_signed(all.freed_count)};
}

usage account::usage() const noexcept {
    const std::int64_t posted = total_.bytes.load(std::memory_order_relaxed);
    const sums all = sum();
    total_.note(posted + std::max(all.pending, all.high));
    const auto count = to_signed(all.allocated_count) - to_signed(all.freed_count);
    return {.live_bytes = static_cast<std::uint64_t>(std::max(posted + all.pending, std::int64_t{0})),
            .live_count = static_cast<std::uint64_t>(std::max(count, std::int64_t{0})),
            .peak_live_bytes = static_cast<std::uint64_t>(total_.peak.load(std::memory_order_relaxed)),
            .total_bytes = all.allocated_bytes,
            .total_count = all.allocated_count,
            .refused_count = refused_count_.load(std::memory_order_relaxed),
            .behind_bytes_max = all.cell_count * books_.batch_bytes_};
}

} // namespace allot
