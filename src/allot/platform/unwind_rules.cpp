// A table that many threads fill without a lock. The danger lies in pairing a key with another key's rule, or with a
// rule from before a dlclose. Neither can happen: a key is set once by compare-and-swap and never changes, and the
// rule word beside it carries the generation in which it was read; every thread that fills a place stores the same.
#include <allot/platform/unwind_rules.hpp>

namespace allot {

void unwind_rules::use(void* zeroed, std::size_t entries) noexcept {
    shift_ = 64 - static_cast<std::uint32_t>(__builtin_ctzll(entries));
    entries_ = static_cast<entry*>(zeroed);
}

// The place of an address; null: it has none yet, or with `take`, the table is full.
unwind_rules::entry* unwind_rules::place_of(std::uint64_t address, bool take) const noexcept {
    const std::size_t last = (std::size_t{1} << (64 - shift_)) - 1;
    std::size_t at = home_of(address, shift_);
    for (std::size_t tried = 0; tried <= last; ++tried, at = (at + 1) & last) {
        std::uint64_t found = load(entries_[at].address);
        if (found == 0) {
            // An eighth stays free, so that searching for what is not there ends soon.
            if (!take || used_.load(std::memory_order_relaxed) > last - last / 8) return nullptr;
            if (__atomic_compare_exchange_n(&entries_[at].address, &found, address, false, __ATOMIC_RELAXED,
                                            __ATOMIC_RELAXED)) {
                used_.fetch_add(1, std::memory_order_relaxed);
                return &entries_[at];
            }
        }
        if (found == address) return &entries_[at];
    }
    return nullptr;
}

unwind_rule unwind_rules::find_cold(std::uint64_t address) const noexcept {
    using kind = unwind_rule::kind;
    const std::uint32_t epoch = epoch_.load(std::memory_order_acquire);
    const bool remembers = entries_ != nullptr && usable(epoch);
    if (const entry* place =
            remembers
                ? place_of(address, false)
                : nullptr) { // not in its first place, or being filled by another thread, or out of date
        const std::uint64_t packed = load(place->rule);
        if (unwind_rule::tag_of(packed) == tag_of(epoch)) return unwind_rule(packed);
    }
    const unwind_rule rule = eh_frame::rule_for(address);
    cold_.fetch_add(1, std::memory_order_relaxed);
    const bool is_unmapped = rule.how() == kind::unmapped;
    if (is_unmapped || rule.how() == kind::unknown) no_rule_.fetch_add(1, std::memory_order_relaxed);
    // What is unmapped today may be code after the next dlopen, so that is not remembered.
    if (!is_unmapped) keep(address, rule, epoch);
    return rule;
}

// `epoch` is from before the rule was read: if an unload has begun since, the tag is out of date, and harmless.
void unwind_rules::keep(std::uint64_t address, unwind_rule rule, std::uint32_t epoch) const noexcept {
    if (entries_ == nullptr || !usable(epoch)) return;
    if (entry* place = place_of(address, true))
        __atomic_store_n(&place->rule, rule.packed(tag_of(epoch)), __ATOMIC_RELAXED);
    else
        full_.fetch_add(1, std::memory_order_relaxed);
}

// Each generation is entered once.
std::uint32_t unwind_rules::begin_generation() noexcept {
    std::uint32_t before = epoch_.load(std::memory_order_relaxed);
    for (;;) {
        const std::uint32_t generation = (before & ~unloading_mask) + generation_step;
        const std::uint32_t left_out = tag_of(generation) == 0 ? generation_step : 0;
        const std::uint32_t next = (generation + left_out) | ((before & unloading_mask) + 1);
        if (epoch_.compare_exchange_weak(before, next, std::memory_order_acq_rel, std::memory_order_relaxed))
            return next;
    }
}

void unwind_rules::begin_unload() noexcept {
    const std::uint32_t epoch = begin_generation();
    // Tags come round again after 65,535 generations. Four times on the way every old rule is wiped; nobody reads
    // the table meanwhile, since this unload has not ended.
    if ((tag_of(epoch) & 0x3fff) != 1 || entries_ == nullptr) return;
    for (std::size_t at = 0; at != std::size_t{1} << (64 - shift_); ++at)
        __atomic_store_n(&entries_[at].rule, std::uint64_t{0}, __ATOMIC_RELAXED);
}

void unwind_rules::reset_after_fork() noexcept {
    if ((epoch_.load(std::memory_order_acquire) & unloading_mask) == 0) return; // the parent's rules hold
    epoch_.fetch_and(~unloading_mask, std::memory_order_acq_rel);
    flush();
}

unwind_rules::counts unwind_rules::count() const noexcept {
    return {cold_.load(std::memory_order_relaxed), no_rule_.load(std::memory_order_relaxed),
            full_.load(std::memory_order_relaxed), used_.load(std::memory_order_relaxed)};
}

} // namespace allot
