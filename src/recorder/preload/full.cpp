#include <recorder/preload/attach.hpp>
#include <recorder/preload/call_tree.hpp>
#include <recorder/preload/counters.hpp>

// Full mode: every call becomes an event in the thread's ring, an allocation with the node of its stack.
//
// Order: a free is stamped and written before the real free, an allocation after the real allocation, so that whoever
// gets the block next is stamped later. `busy` in the segment spans stamp and head and nothing that waits; `inside` in
// private memory spans the whole hook. A signal handler that allocates in between counts, and its event is dropped and
// said to be. errno is left alone: no wrapper of libc's is called. The frame that is handed around is the hook's own:
// two words, the caller's rbp and the return address, which is why the exported functions only jump here.

namespace allot::recorder {
namespace {

std::uint64_t now() noexcept { return __builtin_ia32_rdtsc() >> ALLOT_WIRE_STAMP_SHIFT; }

[[gnu::noinline, gnu::cold]] bool wait_for_room(process_state& process, ring_producer& out) noexcept {
    while (!out.make_room()) {
        const std::uint64_t* tail = &out.ring()->tail;
        const std::uint64_t seen = __atomic_load_n(tail, __ATOMIC_ACQUIRE);
        if (out.make_room()) return true;
        if (!process.consumer.wait(ALLOT_FIXED.segment.header, tail, seen)) return false;
    }
    return true;
}

bool ready(process_state& process, ring_producer& out) noexcept {
    return out.has_room() || wait_for_room(process, out);
}

void set_busy(allot_wire_thread& entry, std::uint32_t busy) noexcept {
    __atomic_store_n(&entry.busy, busy, __ATOMIC_RELEASE);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

struct event {
    allot_wire_event kind;
    const void* block;
    std::uint64_t size; // allocations only
    std::uint32_t node; // likewise
    bool is_allocation() const noexcept {
        return kind == ALLOT_EVENT_ALLOCATE || kind == ALLOT_EVENT_REALLOCATE_ALLOCATE;
    }
};

// Expects: out has room, its producer is this thread alone.
void put(ring_producer& out, allot_wire_thread& entry, const event& what) noexcept {
    set_busy(entry, 1);
    if (what.is_allocation()) out.allocate(what.kind, now(), what.block, what.size, what.node);
    else out.free(what.kind, now(), what.block);
    set_busy(entry, 0);
}

// Into the ring that the process's threads share. False: dropped. Expects: guarded against re-entry.
[[gnu::noinline, gnu::cold]] bool put_shared(process_state& process, allot_wire_thread& entry, const event& what) noexcept {
    hook_mutex::guard hold(process.overflow_lock);
    if (!open_overflow(process) || !ready(process, process.overflow)) return false;
    put(process.overflow, entry, what);
    return true;
}

// Expects: block.inside is set.
void put_event(process_state& process, thread_block& block, const event& what) noexcept {
    allot_wire_thread& entry = *block.entry;
    if (block.out.is_open()) [[likely]] {
        if (ready(process, block.out)) [[likely]] return put(block.out, entry, what);
    } else if (put_shared(process, entry, what)) {
        return;
    }
    add_one(entry.counters.dropped_events);
}

// What a call adds to the counters; `what.node` is not known yet.
struct call {
    change by;
    event what;
    const void* frame;
};

// Not attached, past its end, without memory for a block, or inside a hook already.
[[gnu::noinline, gnu::cold]] void note_slowly(const call& made) noexcept;

void note(const call& made) noexcept {
    thread_block* block = current_slot->block;
    if (block == nullptr || block->inside != 0) [[unlikely]] return note_slowly(made);
    if (ALLOT_FIXED.segment.stopped()) [[unlikely]] return;
    block->inside = 1;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    process_state& process = *ALLOT_FIXED.process;
    add_to_thread(*block->entry, made.by);
    event what = made.what;
    if (what.is_allocation()) what.node = node_of_stack(process, *block, made.frame);
    put_event(process, *block, what);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    block->inside = 0;
}

void note_without_entry(process_state& process, const call& made) noexcept {
    add_to_process(process, made.by);
    allot_wire_counters& sums = process.entry->ended;
    event what = made.what;
    what.node = ALLOT_NODE_UNKNOWN;
    if (what.is_allocation()) __atomic_add_fetch(&sums.short_stacks, 1, __ATOMIC_RELAXED);
    if (const slow_path guard(process); guard.entered()) {
        allot_wire_thread nobody{};
        if (put_shared(process, nobody, what)) return;
    }
    __atomic_add_fetch(&sums.dropped_events, 1, __ATOMIC_RELAXED);
}

void note_slowly(const call& made) noexcept {
    if (ALLOT_FIXED.segment.stopped()) return;
    process_state* process = ensure_process();
    if (process == nullptr) return;
    if (allot_wire_thread* entry = current_slot->entry; entry != nullptr) { // nested, or no block
        add_to_thread(*entry, made.by);
        add_one(entry->counters.dropped_events);
        return;
    }
    if (attach_thread(*process) == nullptr) return note_without_entry(*process, made);
    if (current_slot->block != nullptr) return note(made);
    note_slowly(made);
}

[[gnu::noinline]] void* allocated(void* block, std::size_t size, const void* frame) noexcept {
    if (block != nullptr) [[likely]] note({{1, 0, 0, size, 0}, {ALLOT_EVENT_ALLOCATE, block, size, 0}, frame});
    return block;
}

[[gnu::noinline]] void released(void* block) noexcept {
    note({{0, 1, 0, 0, 0}, {ALLOT_EVENT_FREE, block, 0, 0}, nullptr});
}

#define ALLOT_FRAME __builtin_frame_address(0)

void* hook_malloc(std::size_t size) { return allocated(ALLOT_FIXED.real.malloc(size), size, ALLOT_FRAME); }
void* hook_calloc(std::size_t n, std::size_t each) {
    return allocated(ALLOT_FIXED.real.calloc(n, each), n * each, ALLOT_FRAME);
}
void* hook_aligned_alloc(std::size_t align, std::size_t size) {
    return allocated(ALLOT_FIXED.real.aligned_alloc(align, size), size, ALLOT_FRAME);
}
void* hook_memalign(std::size_t align, std::size_t size) {
    return allocated(ALLOT_FIXED.real.memalign(align, size), size, ALLOT_FRAME);
}
void* hook_valloc(std::size_t size) { return allocated(ALLOT_FIXED.real.valloc(size), size, ALLOT_FRAME); }
void* hook_pvalloc(std::size_t size) { return allocated(ALLOT_FIXED.real.pvalloc(size), size, ALLOT_FRAME); }
int hook_posix_memalign(void** block, std::size_t align, std::size_t size) {
    const int answer = ALLOT_FIXED.real.posix_memalign(block, align, size);
    if (answer == 0) allocated(*block, size, ALLOT_FRAME);
    return answer;
}

void hook_free(void* block) {
    if (block == nullptr) return;
    released(block);
    ALLOT_FIXED.real.free(block);
}

void* reallocated(void* old, std::size_t size, const void* frame) noexcept {
    if (old == nullptr) return allocated(ALLOT_FIXED.real.realloc(old, size), size, frame);
    if (size == 0 && ALLOT_FIXED.glibc_chunks != 0) { // frees; with another allocator it may not
        released(old);
        return ALLOT_FIXED.real.realloc(old, size);
    }
    note({{}, {ALLOT_EVENT_REALLOCATE_FREE, old, 0, 0}, nullptr});
    void* block = ALLOT_FIXED.real.realloc(old, size);
    if (block != nullptr) note({{1, 1, 1, size, 0}, {ALLOT_EVENT_REALLOCATE_ALLOCATE, block, size, 0}, frame});
    else if (size != 0) note({{}, {ALLOT_EVENT_REALLOCATE_FAILED, old, 0, 0}, nullptr});
    else note({{0, 1, 0, 0, 0}, {ALLOT_EVENT_FREE, old, 0, 0}, nullptr});
    return block;
}

void* hook_realloc(void* old, std::size_t size) { return reallocated(old, size, ALLOT_FRAME); }

// libc's own would call our realloc and note it there; its answer to an overflow is wanted all the same.
void* hook_reallocarray(void* old, std::size_t n, std::size_t each) {
    std::size_t size;
    if (__builtin_mul_overflow(n, each, &size)) return ALLOT_FIXED.real.reallocarray(old, n, each);
    return reallocated(old, size, ALLOT_FRAME);
}

} // namespace

allocation_functions full_functions() noexcept {
    return {hook_malloc,        hook_free,     hook_calloc, hook_realloc, hook_reallocarray, hook_posix_memalign,
            hook_aligned_alloc, hook_memalign, hook_valloc, hook_pvalloc, ALLOT_FIXED.real.malloc_usable_size};
}

} // namespace allot::recorder
