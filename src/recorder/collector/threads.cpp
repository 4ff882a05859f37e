#include <recorder/collector/threads.hpp>

#include <algorithm>
#include <cstring>

namespace allot::recorder {
namespace {

std::uint64_t load(const std::uint64_t& shared) { return __atomic_load_n(&shared, __ATOMIC_RELAXED); }
std::int64_t load(const std::int64_t& shared) { return __atomic_load_n(&shared, __ATOMIC_RELAXED); }

} // namespace

counters_record read_counters(const allot_wire_counters& wire) noexcept {
    return {load(wire.allocations),     load(wire.frees),          load(wire.reallocations),
            load(wire.allocated_bytes), load(wire.dropped_events), load(wire.dropped_stacks),
            load(wire.short_stacks),    load(wire.live_bytes)};
}

counters_record read_counters(const allot_wire_thread& wire) noexcept {
    counters_record counters = read_counters(wire.counters);
    counters.live_bytes = gauge::sum(counters.live_bytes, gauge::sum(load(wire.live_unflushed_max_bytes),
                                                                     -load(wire.live_headroom_bytes)));
    return counters;
}

void add_counters(counters_record& sum, const counters_record& more) noexcept {
    sum.allocations += more.allocations;
    sum.frees += more.frees;
    sum.reallocations += more.reallocations;
    sum.allocated_bytes += more.allocated_bytes;
    sum.dropped_events += more.dropped_events;
    sum.dropped_stacks += more.dropped_stacks;
    sum.short_stacks += more.short_stacks;
    sum.live_bytes = gauge::sum(sum.live_bytes, more.live_bytes);
}

threads::threads(segment& file, tables& all, processes& owners)
    : file_(file), all_(all), owners_(owners), known_(file.thread_count()) {}

bool threads::find_new() {
    bool changed = false;
    const std::uint32_t end = file_.thread_end();
    for (std::uint32_t entry = 0; entry < end; ++entry)
        if (known_[entry].process_serial == 0 &&
            __atomic_load_n(&file_.thread(entry)->state, __ATOMIC_RELAXED) >= ALLOT_LIVE)
            changed = enter(entry) || changed;
    return changed;
}

bool threads::look(std::uint64_t now) {
    bool changed = false;
    std::uint64_t live = 0;
    for (std::uint32_t entry : used_) {
        const allot_wire_thread& wire = *file_.thread(entry);
        known& thread = known_[entry];
        if (!thread.ended && __atomic_load_n(&wire.state, __ATOMIC_ACQUIRE) == ALLOT_ENDED)
            thread.ended = changed = true;
        if (!thread.ended) ++live;
        if (thread.ended || __atomic_load_n(&wire.busy, __ATOMIC_ACQUIRE) == 0)
            thread.horizon = std::max(thread.horizon, now);
    }
    if (live > all_.head().threads_most) all_.head().threads_most = live;
    return changed;
}

bool threads::enter(std::uint32_t entry) {
    known& thread = known_[entry];
    if (thread.process_serial != 0) return true;
    const allot_wire_thread& wire = *file_.thread(entry);
    if (__atomic_load_n(&wire.state, __ATOMIC_ACQUIRE) < ALLOT_LIVE) return false;
    processes::process* owner = owners_.at_entry(wire.process, wire.process_serial);
    if (owner == nullptr) return false;
    used_.push_back(entry);
    thread = {.process_serial = wire.process_serial, .shares = wire.ring == 0};
    thread.record = all_.threads.add({.process = owner->record, .tid = wire.tid, .entry = entry});
    if (thread.record == none)
        thread.record = owners_.others_of(*owner);
    else
        read_name(entry);
    return true;
}

void threads::read_name(std::uint32_t entry) {
    thread_record& record = all_.threads[known_[entry].record];
    if (record.tid == 0) return;
    const std::uint32_t pid = all_.processes[record.process].pid;
    std::string name = read_proc(pid, "task/" + std::to_string(record.tid) + "/comm", sizeof record.name);
    if (!name.empty() && name.back() == '\n') name.pop_back();
    if (name.empty()) return; // it has ended: the last name stays
    std::memset(record.name, 0, sizeof record.name);
    std::memcpy(record.name, name.data(), std::min(name.size(), sizeof record.name));
}

void threads::refresh_names(std::size_t at_most) {
    at_most = std::min(at_most, used_.size());
    for (; at_most != 0; --at_most, ++name_next_) {
        if (name_next_ >= used_.size()) name_next_ = 0;
        if (!known_[used_[name_next_]].ended) read_name(used_[name_next_]);
    }
}

void threads::assume_idle() noexcept {
    for (std::uint32_t entry : used_) known_[entry].horizon = ~std::uint64_t{0};
}

std::uint64_t threads::shared_horizon(std::uint64_t process_serial, std::uint64_t now) const noexcept {
    std::uint64_t lowest = now;
    for (std::uint32_t entry : used_)
        if (known_[entry].process_serial == process_serial && known_[entry].shares && !known_[entry].ended)
            lowest = std::min(lowest, known_[entry].horizon);
    return lowest;
}

std::uint32_t threads::record_of(std::uint32_t entry, std::uint64_t process_serial) const noexcept {
    if (entry >= known_.size() || known_[entry].process_serial != process_serial) return none;
    return known_[entry].record;
}

void threads::free_entry(std::uint32_t entry) {
    known& thread = known_[entry];
    allot_wire_thread& wire = *file_.thread(entry);
    const counters_record counters = read_counters(wire);
    thread_record& record = all_.threads[thread.record];
    add_counters(record.counters, counters);
    if (const auto* owner = owners_.at_entry(wire.process, thread.process_serial)) {
        allot_wire_counters& ended = file_.process(owner->entry)->ended;
        __atomic_fetch_add(&ended.allocations, counters.allocations, __ATOMIC_RELAXED);
        __atomic_fetch_add(&ended.frees, counters.frees, __ATOMIC_RELAXED);
        __atomic_fetch_add(&ended.reallocations, counters.reallocations, __ATOMIC_RELAXED);
        __atomic_fetch_add(&ended.allocated_bytes, counters.allocated_bytes, __ATOMIC_RELAXED);
        __atomic_fetch_add(&ended.live_bytes, counters.live_bytes, __ATOMIC_RELAXED);
        __atomic_fetch_add(&ended.dropped_events, counters.dropped_events, __ATOMIC_RELAXED);
        __atomic_fetch_add(&ended.dropped_stacks, counters.dropped_stacks, __ATOMIC_RELAXED);
        __atomic_fetch_add(&ended.short_stacks, counters.short_stacks, __ATOMIC_RELAXED);
    }
    if (record.entry == entry) record.entry = none;
    thread = {};
    std::erase(used_, entry);
    wire.counters = {};
    wire.live_headroom_bytes = wire.live_unflushed_max_bytes = 0;
    wire.busy = 0;
    __atomic_store_n(&wire.state, unsigned{ALLOT_FREE}, __ATOMIC_RELEASE);
    std::uint32_t& hint = file_.header().thread_hint;
    if (__atomic_load_n(&hint, __ATOMIC_RELAXED) > entry) __atomic_store_n(&hint, entry, __ATOMIC_RELAXED);
}

void threads::free_all_of(const processes::process& which) {
    const std::uint32_t end = file_.thread_end();
    for (std::uint32_t entry = 0; entry < end; ++entry) {
        allot_wire_thread& wire = *file_.thread(entry);
        const bool is_new = known_[entry].process_serial == 0 && wire.process_serial == which.serial;
        if (is_new) enter(entry); // it came and went between two looks
        if (known_[entry].process_serial == which.serial)
            free_entry(entry);
        else if (is_new && __atomic_load_n(&wire.state, __ATOMIC_ACQUIRE) ==
                               ALLOT_CLAIMED) // killed while it claimed it
            __atomic_store_n(&wire.state, unsigned{ALLOT_FREE}, __ATOMIC_RELEASE);
    }
}

} // namespace allot::recorder
