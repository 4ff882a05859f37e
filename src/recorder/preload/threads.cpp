#include <recorder/preload/attach.hpp>

#include <recorder/preload/kernel.hpp>

#include <limits.h>

// Claims and ends of threads. A claim may be interrupted by a signal whose handler allocates: `slow_path`
// says so, and that call is counted in the process's sums. It holds the process's serial, so that a child
// forked in the middle of a claim is not stopped by it. A thread ends in the last round of its key
// destructors; what still comes after (destructors that run behind ours, glibc's own clean-up) goes to the
// process's sums too.

namespace allot::recorder {
namespace {

__thread std::uint64_t slow_path_of __attribute__((tls_model("initial-exec")));
__thread thread_block* own_block
    __attribute__((tls_model("initial-exec"))); // plain: a forked child uses it again

std::uint32_t id_of_thread(const process_state& process, bool first) noexcept {
    if (first) return process.entry->pid; // also of a forked child's only thread
    if (ALLOT_FIXED.control_block_tid_offset == 0) return kernel::thread_id();
    return *reinterpret_cast<const std::uint32_t*>(static_cast<const char*>(__builtin_thread_pointer()) +
                                                   ALLOT_FIXED.control_block_tid_offset);
}

// From low indexes on, so that the collector need not look at thousands that nobody uses. The end is raised before
// the claim: an entry whose claimer was killed at once is found all the same.
allot_wire_thread* claim_entry(const segment_view& segment, std::uint32_t& index) noexcept {
    allot_wire_header& header = *segment.header;
    const std::uint32_t hint = __atomic_load_n(&header.thread_hint, __ATOMIC_RELAXED) % segment.thread_count;
    allot_wire_thread* entry = claim_free(segment.thread_count, hint, index, [&](std::uint32_t i) {
        std::uint32_t end = __atomic_load_n(&header.thread_end, __ATOMIC_RELAXED);
        while (end <= i && !__atomic_compare_exchange_n(&header.thread_end, &end, i + 1, true,
                                                        __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) {
        }
        return segment.thread(i);
    });
    if (entry != nullptr) __atomic_store_n(&header.thread_hint, index + 1, __ATOMIC_RELAXED);
    return entry;
}

// Index + 1 of the ring, 0: none. A process's first ring may be any; the rest leave a quarter to other
// processes.
std::uint32_t claim_ring(const process_state& process, std::uint32_t thread, bool first) noexcept {
    const segment_view& segment = ALLOT_FIXED.segment;
    if (!first) {
        std::uint32_t unused = 0;
        for (std::uint32_t i = 0; i != segment.ring_count; ++i)
            unused += __atomic_load_n(&segment.ring(i)->state, __ATOMIC_RELAXED) == ALLOT_FREE;
        if (unused <= segment.ring_count / 4) return 0;
    }
    std::uint32_t index = 0;
    allot_wire_ring* ring =
        claim_free(segment.ring_count, 0, index, [&](std::uint32_t i) { return segment.ring(i); });
    if (ring == nullptr) return 0;
    ring->process = process.index;
    ring->process_serial = process.serial;
    ring->thread = thread;
    ring->base_stamp = __builtin_ia32_rdtsc() >> ALLOT_WIRE_STAMP_SHIFT;
    return index + 1;
}

void open_ring(ring_producer& out, std::uint32_t ring) noexcept {
    const segment_view& segment = ALLOT_FIXED.segment;
    out.open(segment.ring(ring - 1), segment.words_of_ring(ring - 1), segment.ring_words,
             segment.ring(ring - 1)->base_stamp);
    __atomic_store_n(&segment.ring(ring - 1)->state, ALLOT_LIVE, __ATOMIC_RELEASE);
}

thread_block* make_block(process_state& process) noexcept {
    if (own_block != nullptr) return own_block;
    {
        hook_mutex::guard hold(process.block_lock);
        if (thread_block* idle = process.idle_blocks; idle != nullptr) {
            process.idle_blocks = idle->next_idle;
            return idle;
        }
    }
    return static_cast<thread_block*>(kernel::map(sizeof(thread_block)));
}

void attach_block(process_state& process, thread_slot& slot, allot_wire_thread& entry, std::uint32_t index,
                  bool first) noexcept {
    thread_block* block = make_block(process);
    if (block == nullptr) return; // its events are dropped, and counted
    own_block = block;
    block->entry = &entry;
    block->bounds = current_thread_bounds(ALLOT_FIXED.main_stack);
    block->stacks.forget();
    block->node_generation = __atomic_load_n(&process.node_generation, __ATOMIC_RELAXED);
    block->inside = 0;
    block->out.close();
    entry.ring = claim_ring(process, index + 1, first);
    if (entry.ring != 0) open_ring(block->out, entry.ring);
    slot.block = block;
}

} // namespace

slow_path::slow_path(const process_state& process) noexcept : entered_(slow_path_of != process.serial) {
    if (entered_) slow_path_of = process.serial;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

slow_path::~slow_path() {
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    if (entered_) slow_path_of = 0;
}

allot_wire_thread* attach_thread(process_state& process) noexcept {
    const slow_path guard(process);
    if (!guard.entered() || current_slot == &past_end.slot) return nullptr;
    const segment_view& segment = ALLOT_FIXED.segment;
    const bool first = __atomic_exchange_n(&process.has_threads, 1, __ATOMIC_RELAXED) == 0;
    const std::uint32_t tid = id_of_thread(process, first);
    std::uint32_t index = 0;
    allot_wire_thread* entry = claim_entry(segment, index);
    if (entry == nullptr) {
        current_slot = &past_end.slot;
        return nullptr;
    }
    __builtin_memset(reinterpret_cast<char*>(entry) + sizeof entry->state, 0,
                     sizeof *entry - sizeof entry->state);
    entry->tid = tid;
    entry->process = process.index;
    entry->process_serial = process.serial;
    thread_slot& slot = ALLOT_FIXED.slots[index];
    slot = {};
    slot.entry = entry;
    if (ALLOT_FIXED.mode == ALLOT_MODE_FULL) attach_block(process, slot, *entry, index, first);
    __atomic_store_n(&entry->state, ALLOT_LIVE, __ATOMIC_RELEASE);
    slot.stand_in().live_headroom_bytes = unattached_headroom; // for a forked child
    slot.lead_to(*entry);
    current_slot = &slot;
    pthread_setspecific(ALLOT_FIXED.key, &slot); // among the first keys, which need no memory
    return entry;
}

bool open_overflow(process_state& process) noexcept {
    if (process.overflow.is_open()) return true;
    if (process.overflow_tried++ % 256 != 0) return false;
    const std::uint32_t ring = claim_ring(process, 0, true);
    if (ring != 0) open_ring(process.overflow, ring);
    return ring != 0;
}

namespace {

void retire_block(process_state& process, thread_block& block) noexcept {
    if (block.out.is_open()) __atomic_store_n(&block.out.ring()->state, ALLOT_ENDED, __ATOMIC_RELEASE);
    block.out.close();
    own_block = nullptr;
    hook_mutex::guard hold(process.block_lock);
    block.next_idle = process.idle_blocks;
    process.idle_blocks = &block;
}

} // namespace

extern "C" void end_thread(void* value) noexcept {
    thread_slot& slot = *current_slot;
    process_state* process = ALLOT_FIXED.process;
    if (slot.entry == nullptr || process->phase != phase_live) return;
    if (++slot.end_rounds < PTHREAD_DESTRUCTOR_ITERATIONS) {
        pthread_setspecific(ALLOT_FIXED.key, value);
        return;
    }
    allot_wire_thread& entry = *slot.entry;
    current_slot = &past_end.slot;
    if (ALLOT_FIXED.mode == ALLOT_MODE_COUNT) flush_live(slot, entry, *process);
    thread_block* block = slot.block;
    slot = {};
    if (block != nullptr) retire_block(*process, *block);
    __atomic_store_n(&entry.state, ALLOT_ENDED, __ATOMIC_RELEASE);
}

} // namespace allot::recorder
