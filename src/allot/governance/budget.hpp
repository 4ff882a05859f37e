// budget: a hard limit in bytes, one node of a tree of limits; asks for memory back before it refuses.
//
// One per process, tenant, session or cache; charge it through a budgeted_source, or directly as an
// allowance. For numbers without a limit take a ledger. It is not for limits on counts.
// Owns a cell of 64 bytes per thread that charged (from its upstream). Borrows parent, upstream, observer and
// reclaimables; all outlive it (a reclaimable until remove()).
// Threads: any thread charges, refunds and reads at any time, and need not refund what it charged itself.
// Making and destroying a budget needs quiet in it, not in its relatives.
// Cost: a charge within the thread's credit is one uncontended compare-exchange, and so is a refund. Credit
// comes from the shared total, and the parents', a quantum at a time. With quantum_bytes 0 each charge goes
// to the shared totals. 1.5 KiB.
// Errors: live never exceeds the limit at any instant, in no budget of the tree. Read while others charge,
// live is off by at most behind_bytes_max. A charge may be refused though early_bytes_max are left, when
// other threads are inside a call at that moment: unused credit, children's too, is taken back before
// refusing. The peak is exact with one charging thread and no children; else it is too high by at most
// behind_bytes_max, and never too low.
// Fatal (level on): `allot: fatal: budget 'x': died with 40 live bytes`,
// `allot: fatal: budget 'x': died before its child 'y'`,
// `allot: fatal: budget 'x': refund of 100 bytes, 60 are charged`. At every level: `…: a quantum of N bytes`
// above 1 GiB, and `…: 0x… is no reclaimable of it` of remove().
//
//     budget tenant({.name = "tenant", .limit_bytes = 1000});
//     budget session({.name = "session", .limit_bytes = 600, .parent = &tenant});
//     assert(session.try_charge(600) && !session.try_charge(1));
//     assert(last_refusal().who == name("session") && tenant.usage().live_bytes == 600);
//     session.refund(600);
#pragma once

#include <algorithm>
#include <allot/core/allowance.hpp>
#include <allot/core/bytes.hpp>
#include <allot/core/memory_source.hpp>
#include <allot/core/name.hpp>
#include <allot/core/observer.hpp>
#include <allot/core/reclaimable.hpp>
#include <allot/core/usage.hpp>
#include <allot/platform/thread_slots.hpp>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace allot {

class budget;

struct budget_options {
    allot::name name = "budget";
    std::uint64_t limit_bytes = usage::unlimited;
    budget* parent = nullptr;
    // What a thread takes beyond its need, 1 GiB at most. 0: nothing.
    std::uint64_t quantum_bytes = kibibytes(16);
    // How long a charge may wait for reclaim before it is refused.
    std::uint64_t reclaim_ns = 1'000'000;
    allot::observer* observer = nullptr; // told of refusals, and of a death with live bytes
    memory_source* upstream = nullptr; // of the cells, not limited by this budget; nullptr: default_source()
};

class budget final : public allowance {
public:
    static constexpr std::size_t reclaimable_count_max = 16;

    explicit budget(budget_options wanted) noexcept;
    ~budget();
    budget(const budget&) = delete;
    budget& operator=(const budget&) = delete;

    [[nodiscard]] bool try_charge(std::uint64_t bytes) noexcept override {
        cell* const own = cells_[detail::thread_slot()].load(std::memory_order_relaxed);
        if (own && try_use_credit(*own, bytes)) [[likely]]
            return true;
        return charge_slow(bytes);
    }
    void refund(std::uint64_t bytes) noexcept override;

    // What to ask before refusing, here or in a parent whose limit is met. False: there are
    // reclaimable_count_max already. Concurrent ones are asked for what is missing, deferred ones get the
    // wish.
    [[nodiscard]] bool try_add(reclaimable& holder) noexcept;
    // Returns when no call of it is under way. Not from inside its reclaim().
    void remove(reclaimable& holder) noexcept;

    // live_bytes, peak_live_bytes, held_bytes (live and unused credit; held == live + free), peak_held_bytes,
    // free_bytes, refused_count, limit_bytes, behind_bytes_max, early_bytes_max. Waits 0.1 s at most while
    // somebody in the tree reclaims.
    allot::usage usage() const noexcept;
    const allot::name& name() const noexcept { return name_; }
    budget* parent() const noexcept { return parent_; }

private:
    struct alignas(64) cell {
        std::atomic<std::uint64_t> word =
            0; // credit, and its lowest since the thread's last visit to charged_
    };

    static std::uint64_t credit_of(std::uint64_t word) noexcept { return word >> 32; }
    static std::uint64_t low_of(std::uint64_t word) noexcept { return word & 0xffff'ffff; }
    static std::uint64_t pack(std::uint64_t credit, std::uint64_t low) noexcept { return credit << 32 | low; }

    // Acquire: what the refunder did to the memory before is done.
    static bool try_use_credit(cell& own, std::uint64_t bytes) noexcept {
        std::uint64_t word = own.word.load(std::memory_order_relaxed);
        while (credit_of(word) >= bytes) {
            const std::uint64_t left = credit_of(word) - bytes;
            if (own.word.compare_exchange_weak(word, pack(left, std::min(low_of(word), left)),
                                               std::memory_order_acq_rel, std::memory_order_relaxed))
                return true;
        }
        return false;
    }
    bool charge_slow(std::uint64_t bytes) noexcept;
    bool charge_after_reclaim(std::uint64_t bytes) noexcept;
    bool take_after_asking(std::uint64_t bytes, std::uint64_t deadline_ns, budget*& short_of) noexcept;
    void ask_holders(budget& asking, std::uint64_t bytes, std::uint64_t deadline_ns,
                     reclaim_manner manner) noexcept;
    void take_credit_back() noexcept;
    void refuse(std::uint64_t bytes) noexcept;
    void end_unbalanced(std::uint64_t left) noexcept;

    // This level and all above it.
    budget* try_take(std::uint64_t bytes) noexcept;
    budget* try_take_whole(std::uint64_t bytes) noexcept;
    void give(std::uint64_t bytes) noexcept;
    // This level alone.
    bool try_add_charged(std::uint64_t bytes) noexcept;
    void subtract_charged(std::uint64_t bytes, std::uint64_t low) noexcept;
    void end_period(std::uint64_t charged, std::uint64_t low) noexcept;
    std::uint64_t room() const noexcept;
    std::uint64_t unused_credit(bool children) const noexcept;

    cell* own_cell() noexcept; // makes it; nullptr: none is to be had
    std::uint64_t own_low() const noexcept;
    void refund_excess(cell& own, std::uint64_t bytes) noexcept;
    static void add_credit(cell& own, std::uint64_t more) noexcept;
    static void raise(std::atomic<std::uint64_t>& peak, std::uint64_t seen) noexcept;
    budget& root() noexcept;

    // credit of all cells + live == charged_ <= limit_bytes_, and the parent's charged_ >= the sum of its
    // children's.
    alignas(64) std::atomic<std::uint64_t> charged_ = 0;
    std::atomic<std::uint64_t> peak_live_ = 0;
    std::atomic<std::uint64_t> peak_charged_ = 0;
    std::atomic<std::uint64_t> refused_count_ = 0;
    std::atomic<std::uint64_t> spare_bytes_max_ = 0; // what all cells here and below can hold
    alignas(64) const std::uint64_t limit_bytes_;
    const std::uint64_t quantum_bytes_;
    const std::uint64_t reclaim_ns_;
    budget* const parent_;
    allot::observer* const observer_;
    memory_source& upstream_;
    allot::name name_;
    std::atomic<cell*> cells_[detail::thread_slot_count + 1] = {}; // [0] stays nullptr

    // The root's guards the lists below, in the whole tree.
    mutable detail::fork_mutex tree_mutex_;
    budget* first_child_ = nullptr;
    budget* next_sibling_ = nullptr;
    reclaimable* holders_[reclaimable_count_max] = {};
    std::size_t holder_count_ = 0;
};

} // namespace allot
