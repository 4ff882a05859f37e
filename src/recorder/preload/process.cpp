#include <recorder/preload/attach.hpp>

#include <recorder/preload/kernel.hpp>

// A process makes itself known at its first hook call. A forked child does too, having found its private
// pages wiped: it may be the child of a thread that held any lock and of a process with any number of
// threads. It makes no system call but getpid and getppid. A vfork child is its parent here, until it execs.

namespace allot::recorder {
namespace {

std::uint32_t program_attached; // plain memory: a forked child reads its parent's 1

allot_wire_process* claim(const segment_view& segment, std::uint32_t pid, std::uint32_t& index) noexcept {
    return claim_free(segment.process_count, pid, index, [&](std::uint32_t i) { return segment.process(i); });
}

// All but the state, which the claim owns.
void fill(allot_wire_process& entry, std::uint64_t serial, std::uint32_t pid, bool forked) noexcept {
    __builtin_memset(reinterpret_cast<char*>(&entry) + sizeof entry.state, 0,
                     sizeof entry - sizeof entry.state);
    entry.pid = pid;
    entry.parent_pid = kernel::parent_id();
    entry.reason = ALLOT_FIXED.reason;
    entry.serial = serial;
    entry.start_stamp = __builtin_ia32_rdtsc() >> ALLOT_WIRE_STAMP_SHIFT;
    entry.live_basis = ALLOT_FIXED.basis;
    entry.forked = forked ? 1 : 0;
    entry.own_operator_new = ALLOT_FIXED.own_operator_new;
}

void attach(process_state& process) noexcept {
    const segment_view& segment = ALLOT_FIXED.segment;
    const bool forked = __atomic_exchange_n(&program_attached, 1, __ATOMIC_RELAXED) != 0;
    if (forked) rules.reset_after_fork(); // another thread may have been in the middle of a dlclose
    const std::uint32_t pid = kernel::process_id();
    allot_wire_process* entry = segment.stopped() ? nullptr : claim(segment, pid, process.index);
    if (entry == nullptr) {
        __atomic_add_fetch(&segment.header->processes_lost, 1, __ATOMIC_RELAXED);
        __atomic_store_n(&process.phase, phase_lost, __ATOMIC_RELEASE);
        return;
    }
    process.serial = __atomic_add_fetch(&segment.header->process_serial, 1, __ATOMIC_RELAXED);
    process.entry = entry;
    fill(*entry, process.serial, pid, forked);
    const auto* command = reinterpret_cast<const allot_wire_record*>(ALLOT_FIXED.command);
    const auto* executable = executable_record();
    process.blob_pages.add_record(segment, &entry->blob_page_first, process.serial, command);
    if (executable->bytes > sizeof *executable)
        process.blob_pages.add_record(segment, &entry->blob_page_first, process.serial, executable);
    __atomic_store_n(&entry->state, ALLOT_LIVE, __ATOMIC_RELEASE);
    __atomic_store_n(&process.phase, phase_live, __ATOMIC_RELEASE);
}

} // namespace

process_state* ensure_process() noexcept {
    process_state* process = ALLOT_FIXED.process;
    if (process == nullptr) return nullptr;
    std::uint32_t phase = phase_unattached;
    if (__atomic_compare_exchange_n(&process->phase, &phase, phase_attaching, false, __ATOMIC_ACQ_REL,
                                    __ATOMIC_ACQUIRE))
        attach(*process);
    return __atomic_load_n(&process->phase, __ATOMIC_ACQUIRE) == phase_live ? process : nullptr;
}

void add_to_process(process_state& process, const change& by) noexcept {
    allot_wire_counters& sums = process.entry->ended;
    __atomic_add_fetch(&sums.allocations, by.allocations, __ATOMIC_RELAXED);
    __atomic_add_fetch(&sums.frees, by.frees, __ATOMIC_RELAXED);
    __atomic_add_fetch(&sums.reallocations, by.reallocations, __ATOMIC_RELAXED);
    __atomic_add_fetch(&sums.allocated_bytes, by.allocated_bytes, __ATOMIC_RELAXED);
    if (by.live_bytes == 0) return;
    __atomic_add_fetch(&sums.live_bytes, by.live_bytes, __ATOMIC_RELAXED);
    flush_live_at_once(process, by.live_bytes, by.live_bytes > 0 ? by.live_bytes : 0);
}

void note_exit(int code) noexcept {
    process_state* process = ALLOT_FIXED.process;
    if (process == nullptr || __atomic_load_n(&process->phase, __ATOMIC_ACQUIRE) != phase_live) return;
    process->entry->exit_code = code;
    __atomic_store_n(&process->entry->exit_known, 1, __ATOMIC_RELEASE);
}

} // namespace allot::recorder
