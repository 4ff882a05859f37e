#include <allot/core/client.h>

#include <recorder/preload/attach.hpp>

// What an observed program may ask and tell. Nothing here allocates. The questions read the segment's counters as any
// outsider does and take no lock; a report takes one of its own, which no hook ever waits for.

namespace allot::recorder {
namespace {

process_state* observed() noexcept {
    process_state* process = ALLOT_FIXED.mode != 0 ? ensure_process() : nullptr;
    return process != nullptr && !ALLOT_FIXED.segment.stopped() ? process : nullptr;
}

int mode() noexcept {
    if (observed() == nullptr) return ALLOT_CLIENT_NOT_OBSERVED;
    return ALLOT_FIXED.mode == ALLOT_MODE_FULL ? ALLOT_CLIENT_FULL : ALLOT_CLIENT_COUNT;
}

void add_counters(allot_client_totals& sum, const allot_wire_counters& from) noexcept {
    sum.allocations += __atomic_load_n(&from.allocations, __ATOMIC_RELAXED);
    sum.frees += __atomic_load_n(&from.frees, __ATOMIC_RELAXED);
    sum.reallocations += __atomic_load_n(&from.reallocations, __ATOMIC_RELAXED);
    sum.allocated_bytes += __atomic_load_n(&from.allocated_bytes, __ATOMIC_RELAXED);
    sum.live_bytes += __atomic_load_n(&from.live_bytes, __ATOMIC_RELAXED);
}

int process_totals(allot_client_totals* into) noexcept {
    const process_state* process = observed();
    if (process == nullptr || into == nullptr || into->size < sizeof *into) return -1;
    allot_client_totals sum{};
    sum.size = sizeof sum;
    add_counters(sum, process->entry->ended);
    const std::uint32_t end = ALLOT_FIXED.segment.thread_end();
    for (std::uint32_t i = 0; i != end; ++i) {
        const allot_wire_thread* entry = ALLOT_FIXED.segment.thread(i);
        // An ended thread's counters stay in its entry until the collector moves them into the process's.
        const std::uint32_t state = __atomic_load_n(&entry->state, __ATOMIC_ACQUIRE);
        if ((state != ALLOT_LIVE && state != ALLOT_ENDED) || entry->process_serial != process->serial)
            continue;
        add_counters(sum, entry->counters);
        sum.live_bytes += entry->live_unflushed_max_bytes - entry->live_headroom_bytes;
    }
    const bool known = ALLOT_FIXED.mode == ALLOT_MODE_COUNT && ALLOT_FIXED.live_known != 0;
    sum.live_basis = known ? ALLOT_CLIENT_LIVE_USABLE : ALLOT_CLIENT_LIVE_UNKNOWN;
    if (!known) sum.live_bytes = 0;
    *into = sum;
    return 0;
}

// A report from a handler of a signal that came in the middle of one would wait for itself: it is not taken.
int report_source(allot_client_source* source) noexcept {
    process_state* process = observed();
    if (process == nullptr || source == nullptr || source->size < sizeof *source) return -1;
    const slow_path guard(*process);
    if (!guard.entered()) return -1;
    const hook_mutex::guard hold(process->source_lock);
    process->sources.report(ALLOT_FIXED.segment, process->index, *source);
    return 0;
}

} // namespace
} // namespace allot::recorder

extern "C" __attribute__((visibility("default"))) const struct allot_client_v1 allot_client_v1 = {
    1, sizeof(struct allot_client_v1), allot::recorder::mode, allot::recorder::process_totals,
    allot::recorder::report_source};
