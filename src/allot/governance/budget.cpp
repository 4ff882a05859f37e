#include <allot/core/checks.hpp>
#include <allot/core/contract.hpp>
#include <allot/core/out_of_memory.hpp>
#include <allot/governance/budget.hpp>
#include <allot/platform/clock.hpp>
#include <allot/source/default_source.hpp>
#include <new>

// Danger: a limit without a lock on its way. The argument:
// - charged_ is raised by a compare-exchange that keeps it within the limit, and by nothing else. A thread's
//   credit is in charged_ before it is in the cell, and leaves the cell before it leaves charged_. A charge
//   moves bytes from credit to live. So live + credit <= charged_ <= limit at every instant, whatever the
//   interleaving, and a crash of the argument needs a refund of what was never charged.
// - A cell is changed by compare-exchange or exchange only: its thread charges and refunds, any thread may
//   empty it. Credit is thus in one place: in the cell, or with whoever took it out.
// - Refunds release and charges acquire, on cell and charged_ alike: the memory that a refund stands for was
//   given back before another thread gets it granted.
// - Parents are charged before, and refunded after, no matter: each level keeps its own limit by the first
//   point; a charge that a parent refuses is taken back below, and until then is early, never over.
// - A step that touches two words (total and cell, or two levels) holds the slot's mutex, for the fork's
//   sake.
// - Peaks: between two changes of charged_, live is at most charged_ less the lowest that a credit was in
//   that time. Whoever changes it notes this for the time that ends there, with the lowest of its own credit.

namespace allot {

budget::budget(budget_options wanted) noexcept
    : limit_bytes_(wanted.limit_bytes),
      quantum_bytes_(wanted.quantum_bytes),
      reclaim_ns_(wanted.reclaim_ns),
      parent_(wanted.parent),
      observer_(wanted.observer),
      upstream_(wanted.upstream ? *wanted.upstream : default_source()),
      name_(wanted.name) {
    ALLOT_EXPECT(quantum_bytes_ <= gibibytes(1), "budget '", name_.view(), "': a quantum of ", quantum_bytes_,
                 " bytes");
    if (!parent_) return;
    const detail::fork_mutex::guard hold(root().tree_mutex_);
    next_sibling_ = parent_->first_child_;
    parent_->first_child_ = this;
}

budget::~budget() {
    detail::fork_mutex& tree = root().tree_mutex_;
    {
        const detail::fork_mutex::guard hold(tree);
        ALLOT_CHECK(!first_child_, "budget '", name_.view(), "': died before its child '",
                    first_child_->name_.view(), "'");
        take_credit_back();
        if (parent_) {
            budget** link = &parent_->first_child_;
            while (*link != this) link = &(*link)->next_sibling_;
            *link = next_sibling_;
        }
    }
    if (const std::uint64_t left = charged_.load(std::memory_order_relaxed); left != 0) end_unbalanced(left);
    for (auto& each : cells_)
        if (cell* const gone = each.load(std::memory_order_relaxed)) {
            gone->~cell();
            upstream_.deallocate(gone, layout_of<cell>());
            for (budget* up = parent_; up; up = up->parent_)
                up->spare_bytes_max_.fetch_sub(2 * quantum_bytes_, std::memory_order_relaxed);
        }
}

void budget::end_unbalanced(std::uint64_t left) noexcept {
    ALLOT_CHECK(observer_, "budget '", name_.view(), "': died with ", left, " live bytes");
    if (observer_)
        observer_->observe({.what = event::type::unbalanced,
                            .who = name_,
                            .kind = "budget",
                            .bytes = left,
                            .live_bytes = left,
                            .limit_bytes = limit_bytes_});
    if (parent_) parent_->give(left);
}

budget& budget::root() noexcept {
    budget* top = this;
    while (top->parent_) top = top->parent_;
    return *top;
}

// Where a thread's credit is too small: credit from the total, else the bare need, else what others can
// spare.
bool budget::charge_slow(std::uint64_t bytes) noexcept {
    cell* const own = own_cell();
    // A thread that has just taken its slot finds the credit of the one before; a cell must not grow beyond
    // two quanta.
    if (own && try_use_credit(*own, bytes)) return true;
    if (own && bytes <= quantum_bytes_) {
        const light_mutex::guard whole_at_fork(detail::slot_mutex(detail::thread_slot()));
        if (!try_take(bytes + quantum_bytes_)) {
            add_credit(*own, quantum_bytes_);
            return true;
        }
    }
    if (!try_take_whole(bytes)) return true;
    return charge_after_reclaim(bytes);
}

budget* budget::try_take_whole(std::uint64_t bytes) noexcept {
    const light_mutex::guard whole_at_fork(detail::slot_mutex(detail::thread_slot()));
    return try_take(bytes);
}

bool budget::charge_after_reclaim(std::uint64_t bytes) noexcept {
    const std::uint64_t deadline_ns = monotonic_ns() + reclaim_ns_;
    detail::fork_mutex& tree = root().tree_mutex_;
    budget* short_of = this;
    bool charged = false;
    // Not from inside a reclaim(): whoever reclaims must not wait for itself.
    if (tree.try_lock_until(deadline_ns)) {
        charged = take_after_asking(bytes, deadline_ns, short_of);
        tree.unlock();
    } else {
        for (budget* each = this; each; each = each->parent_)
            if (each->room() < bytes) short_of = each;
    }
    if (!charged) short_of->refuse(bytes);
    return charged;
}

// Under the tree's mutex. Each round takes back credit where there is not enough, and the next one asks
// there.
bool budget::take_after_asking(std::uint64_t bytes, std::uint64_t deadline_ns, budget*& short_of) noexcept {
    int rounds = 2;
    for (budget* each = this; each; each = each->parent_) rounds += 2;
    for (budget *credit_back = nullptr, *asked = nullptr; rounds > 0; --rounds) {
        budget* const refusing = try_take_whole(bytes);
        if (!refusing) return true;
        short_of = refusing;
        if (bytes > short_of->limit_bytes_) return false; // nothing that comes back would help
        if (short_of != credit_back) {
            short_of->take_credit_back();
            credit_back = short_of;
        } else if (short_of != asked) {
            asked = short_of;
            short_of->ask_holders(*short_of, bytes, deadline_ns, reclaim_manner::concurrent);
            short_of->ask_holders(*short_of, bytes, deadline_ns, reclaim_manner::deferred);
            short_of->take_credit_back();
        } else {
            return false;
        }
    }
    return false;
}

// Of this budget and all below it, until `asking` has room for so many bytes or the time is over.
void budget::ask_holders(budget& asking, std::uint64_t bytes, std::uint64_t deadline_ns,
                         reclaim_manner manner) noexcept {
    for (std::size_t i = 0; i < holder_count_; ++i) {
        if (holders_[i]->manner() != manner) continue;
        const std::uint64_t room = asking.room();
        if (room >= bytes || monotonic_ns() >= deadline_ns) return;
        if (holders_[i]->reclaim({.wanted_bytes = bytes - room, .deadline_ns = deadline_ns}) != 0)
            asking.take_credit_back();
    }
    for (budget* each = first_child_; each; each = each->next_sibling_)
        each->ask_holders(asking, bytes, deadline_ns, manner);
}

// Of this budget and all below it: charged_ becomes what is live.
void budget::take_credit_back() noexcept {
    for (budget* each = first_child_; each; each = each->next_sibling_) each->take_credit_back();
    const light_mutex::guard whole_at_fork(detail::slot_mutex(detail::thread_slot()));
    std::uint64_t credit = 0;
    std::uint64_t low = 0;
    for (auto& place : cells_) {
        cell* const each = place.load(std::memory_order_acquire);
        if (!each) continue;
        const std::uint64_t word = each->word.exchange(0, std::memory_order_acq_rel);
        credit += credit_of(word);
        low += low_of(word);
    }
    if (credit == 0) return;
    subtract_charged(credit, low);
    if (parent_) parent_->give(credit);
}

// nullptr: done; else who has not enough.
budget* budget::try_take(std::uint64_t bytes) noexcept {
    for (budget* each = this; each; each = each->parent_)
        if (!each->try_add_charged(bytes)) {
            // Nothing of it was ever live, so no peak is noted.
            for (budget* undo = this; undo != each; undo = undo->parent_)
                undo->charged_.fetch_sub(bytes, std::memory_order_acq_rel);
            return each;
        }
    for (budget* each = this; each; each = each->parent_)
        raise(each->peak_charged_, each->charged_.load(std::memory_order_relaxed));
    return nullptr;
}

void budget::give(std::uint64_t bytes) noexcept {
    for (budget* each = this; each; each = each->parent_) each->subtract_charged(bytes, each->own_low());
}

bool budget::try_add_charged(std::uint64_t bytes) noexcept {
    std::uint64_t charged = charged_.load(std::memory_order_relaxed);
    do
        if (bytes > limit_bytes_ - charged) return false;
    while (!charged_.compare_exchange_weak(charged, charged + bytes, std::memory_order_acq_rel,
                                           std::memory_order_relaxed));
    end_period(charged, own_low());
    return true;
}

void budget::subtract_charged(std::uint64_t bytes, std::uint64_t low) noexcept {
    const std::uint64_t charged = charged_.fetch_sub(bytes, std::memory_order_acq_rel);
    ALLOT_CHECK(charged >= bytes, "budget '", name_.view(), "': refund of ", bytes, " bytes, ", charged,
                " are charged");
    end_period(charged, low);
}

void budget::end_period(std::uint64_t charged, std::uint64_t low) noexcept {
    raise(peak_live_, charged - std::min(charged, low));
    if (cell* const own = cells_[detail::thread_slot()].load(std::memory_order_relaxed)) add_credit(*own, 0);
}

std::uint64_t budget::own_low() const noexcept {
    const cell* const own = cells_[detail::thread_slot()].load(std::memory_order_relaxed);
    return own ? low_of(own->word.load(std::memory_order_relaxed)) : 0;
}

// The lowest begins anew at what there is.
void budget::add_credit(cell& own, std::uint64_t more) noexcept {
    std::uint64_t word = own.word.load(std::memory_order_relaxed);
    while (!own.word.compare_exchange_weak(word, pack(credit_of(word) + more, credit_of(word) + more),
                                           std::memory_order_acq_rel, std::memory_order_relaxed)) {
    }
}

void budget::raise(std::atomic<std::uint64_t>& peak, std::uint64_t seen) noexcept {
    std::uint64_t known = peak.load(std::memory_order_relaxed);
    while (seen > known && !peak.compare_exchange_weak(known, seen, std::memory_order_relaxed)) {
    }
}

std::uint64_t budget::room() const noexcept {
    return limit_bytes_ - std::min(limit_bytes_, charged_.load(std::memory_order_relaxed));
}

void budget::refund(std::uint64_t bytes) noexcept {
    cell* const own = cells_[detail::thread_slot()].load(std::memory_order_relaxed);
    if (!own || bytes > 2 * quantum_bytes_) {
        const light_mutex::guard whole_at_fork(detail::slot_mutex(detail::thread_slot()));
        return give(bytes);
    }
    std::uint64_t word = own->word.load(std::memory_order_relaxed);
    while (credit_of(word) + bytes <= 2 * quantum_bytes_)
        if (own->word.compare_exchange_weak(word, pack(credit_of(word) + bytes, low_of(word)),
                                            std::memory_order_acq_rel, std::memory_order_relaxed))
            return;
    refund_excess(*own, bytes);
}

// The credit grew too large: one quantum stays.
void budget::refund_excess(cell& own, std::uint64_t bytes) noexcept {
    const light_mutex::guard whole_at_fork(detail::slot_mutex(detail::thread_slot()));
    std::uint64_t word = own.word.load(std::memory_order_relaxed);
    std::uint64_t kept = 0;
    do kept = std::min(credit_of(word) + bytes, quantum_bytes_);
    while (!own.word.compare_exchange_weak(word, pack(kept, std::min(low_of(word), kept)),
                                           std::memory_order_acq_rel, std::memory_order_relaxed));
    if (const std::uint64_t excess = credit_of(word) + bytes - kept; excess != 0) {
        subtract_charged(excess, low_of(word));
        if (parent_) parent_->give(excess);
    }
}

budget::cell* budget::own_cell() noexcept {
    const std::uint32_t slot = quantum_bytes_ == 0 ? 0 : detail::take_thread_slot();
    if (slot == 0) return nullptr;
    cell* made = cells_[slot].load(std::memory_order_relaxed);
    if (made) return made;
    void* const place = upstream_.try_allocate(layout_of<cell>());
    if (!place) return nullptr;
    made = new (place) cell;
    cells_[slot].store(made, std::memory_order_release);
    for (budget* each = this; each; each = each->parent_)
        each->spare_bytes_max_.fetch_add(2 * quantum_bytes_, std::memory_order_relaxed);
    return made;
}

void budget::refuse(std::uint64_t bytes) noexcept {
    refused_count_.fetch_add(1, std::memory_order_relaxed);
    const std::uint64_t charged = charged_.load(std::memory_order_relaxed);
    const std::uint64_t live = charged - std::min(charged, unused_credit(false));
    note_refusal({.who = name_,
                  .kind = "budget",
                  .asked = {.size = bytes, .align = 1},
                  .limit_bytes = limit_bytes_,
                  .live_bytes = live});
    if (observer_)
        observer_->observe({.what = event::type::refused,
                            .who = name_,
                            .kind = "budget",
                            .bytes = bytes,
                            .count = 1,
                            .live_bytes = live,
                            .limit_bytes = limit_bytes_});
}

bool budget::try_add(reclaimable& holder) noexcept {
    const detail::fork_mutex::guard hold(root().tree_mutex_);
    if (holder_count_ == reclaimable_count_max) return false;
    holders_[holder_count_++] = &holder;
    return true;
}

void budget::remove(reclaimable& holder) noexcept {
    const detail::fork_mutex::guard hold(root().tree_mutex_);
    reclaimable** const end = holders_ + holder_count_;
    reclaimable** const found = std::find(holders_, end, &holder);
    ALLOT_EXPECT(found != end, "budget '", name_.view(), "': ", static_cast<const void*>(&holder),
                 " is no reclaimable of it");
    std::move(found + 1, end, found); // the order of asking stays
    --holder_count_;
}

// Of this budget, and with `children` of all below it (under the tree's mutex).
std::uint64_t budget::unused_credit(bool children) const noexcept {
    std::uint64_t sum = 0;
    for (const auto& place : cells_)
        if (const cell* const each = place.load(std::memory_order_acquire))
            sum += credit_of(each->word.load(std::memory_order_relaxed));
    if (children)
        for (const budget* each = first_child_; each; each = each->next_sibling_)
            sum += each->unused_credit(true);
    return sum;
}

usage budget::usage() const noexcept {
    constexpr std::uint64_t patience_ns = 100'000'000;
    const std::uint64_t charged = charged_.load(std::memory_order_acquire);
    std::uint64_t low = 0;
    for (const auto& place : cells_)
        if (const cell* const each = place.load(std::memory_order_acquire))
            low += low_of(each->word.load(std::memory_order_relaxed));
    // Where somebody reclaims for long, the children's credit counts as live: the bound allows it.
    detail::fork_mutex& tree = const_cast<budget*>(this)->root().tree_mutex_;
    const bool whole = tree.try_lock_until(monotonic_ns() + patience_ns);
    const std::uint64_t unused = std::min(charged, unused_credit(whole));
    if (whole) tree.unlock();
    const std::uint64_t spare = spare_bytes_max_.load(std::memory_order_relaxed);
    const std::uint64_t peak = std::max(
        {peak_live_.load(std::memory_order_relaxed), charged - unused, charged - std::min(charged, low)});
    return {.live_bytes = charged - unused,
            .peak_live_bytes = peak,
            .refused_count = refused_count_.load(std::memory_order_relaxed),
            .held_bytes = charged,
            .peak_held_bytes = std::max(peak_charged_.load(std::memory_order_relaxed), charged),
            .free_bytes = unused,
            .limit_bytes = limit_bytes_,
            .behind_bytes_max = spare,
            .early_bytes_max = spare};
}

} // namespace allot
