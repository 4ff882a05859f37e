#include <recorder/preload/attach.hpp>
#include <recorder/preload/call_tree.hpp>
#include <recorder/preload/counters.hpp>

// Full mode: every call becomes an event in the thread's ring, an allocation with the node of its stack.
//
// Order: a free is stamped and written before the real free, an allocation after the real allocation, so that
// whoever gets the block next is stamped later. `busy` in the segment spans stamp and head and nothing that
// waits; `inside` in private memory spans the whole hook. A signal handler that allocates in between counts,
// and its event is dropped and said to be. errno is left alone: no wrapper of libc's is called. The frame
// that is handed around is the hook's own: two words, the caller's rbp and the return address, which is why
// the exported functions only jump here.

namespace allot::recorder {
namespace {

std::uint64_t now() noexcept { return __builtin_ia32_rdtsc() >> ALLOT_WIRE_STAMP_SHIFT; }

[[gnu::noinline, gnu::cold]] bool wait_for_room(process_state& process, ring_producer& out) noexcept {
    consumer_watch::patience mine{};
    while (!out.make_room()) {
        // A collector that took this process for gone has given its rings back and reads them no more.
        if (__atomic_load_n(&out.ring()->state, __ATOMIC_ACQUIRE) != ALLOT_LIVE ||
            out.ring()->process_serial != process.serial)
            return false;
        const std::uint64_t* tail = &out.ring()->tail;
        const std::uint64_t seen = __atomic_load_n(tail, __ATOMIC_ACQUIRE);
        if (out.make_room()) return true;
        if (!process.consumer.wait(mine, ALLOT_FIXED.segment.header, tail, seen)) return false;
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

bool is_allocation(allot_wire_event kind) noexcept {
    return kind == ALLOT_EVENT_ALLOCATE || kind == ALLOT_EVENT_REALLOCATE_ALLOCATE;
}

// One call of the program, on the paths where its parts need not stay in registers.
struct call {
    change by;
    allot_wire_event kind;
    const void* block;
    std::uint64_t size; // allocations only
    const void* frame;  // likewise
};

// Expects: out has room, its producer is this thread alone.
[[gnu::always_inline]] inline void put(ring_producer& out, allot_wire_thread& entry, allot_wire_event kind,
                                       const void* block, std::uint64_t size, std::uint32_t node) noexcept {
    set_busy(entry, 1);
    if (is_allocation(kind))
        out.allocate(kind, now(), block, size, node);
    else
        out.free(kind, now(), block);
    set_busy(entry, 0);
}

// Into the ring that the process's threads share. False: dropped. Expects: guarded against re-entry.
[[gnu::noinline, gnu::cold]] bool put_shared(process_state& process, allot_wire_thread& entry,
                                             const call& made, std::uint32_t node) noexcept {
    const hook_mutex::guard hold(process.overflow_lock);
    if (!open_overflow(process) || !ready(process, process.overflow)) return false;
    put(process.overflow, entry, made.kind, made.block, made.size, node);
    return true;
}

// The thread's ring is full, or it has none. Expects: block.inside is set.
[[gnu::noinline, gnu::cold]] void put_slowly(thread_block& mine, const call& made,
                                             std::uint32_t node) noexcept {
    process_state& process = *ALLOT_FIXED.process;
    allot_wire_thread& entry = *mine.entry;
    if (mine.out.is_open()) {
        if (ready(process, mine.out)) return put(mine.out, entry, made.kind, made.block, made.size, node);
    } else if (put_shared(process, entry, made, node)) {
        return;
    }
    add_one(entry.counters.dropped_events);
}

// Not attached, past its end, without memory for a block, or inside a hook already.
[[gnu::noinline, gnu::cold]] void note_slowly(const call& made) noexcept;

// Null: this call goes the slow way.
[[gnu::always_inline]] inline thread_block* enter() noexcept {
    thread_block* mine = current_slot->block;
    if (mine == nullptr || mine->inside != 0) [[unlikely]]
        return nullptr;
    mine->inside = 1;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    return mine;
}
[[gnu::always_inline]] inline void leave(thread_block& mine) noexcept {
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    mine.inside = 0;
}

[[gnu::always_inline]] inline void note_allocation(allot_wire_event kind, const void* block, std::size_t size,
                                                   const void* frame) noexcept {
    const std::uint64_t moved = kind == ALLOT_EVENT_REALLOCATE_ALLOCATE ? 1 : 0;
    if (ALLOT_FIXED.segment.stopped()) [[unlikely]]
        return;
    thread_block* mine = enter();
    if (mine == nullptr) [[unlikely]]
        return note_slowly({{1, moved, moved, size, 0}, kind, block, size, frame});
    allot_wire_thread& entry = *mine->entry;
    add_one(entry.counters.allocations);
    add(entry.counters.allocated_bytes, size);
    if (moved != 0) {
        add_one(entry.counters.frees);
        add_one(entry.counters.reallocations);
    }
    const std::uint32_t node = node_of_stack(*mine, frame);
    if (mine->out.has_room()) [[likely]]
        put(mine->out, entry, kind, block, size, node);
    else
        put_slowly(*mine, {{}, kind, block, size, frame}, node);
    leave(*mine);
}

// What is freed, may be freed by the realloc under way, or was not after all.
[[gnu::always_inline]] inline void note_free(allot_wire_event kind, const void* block) noexcept {
    const std::uint64_t counted = kind == ALLOT_EVENT_FREE ? 1 : 0;
    if (ALLOT_FIXED.segment.stopped()) [[unlikely]]
        return;
    thread_block* mine = enter();
    if (mine == nullptr) [[unlikely]]
        return note_slowly({{0, counted, 0, 0, 0}, kind, block, 0, nullptr});
    allot_wire_thread& entry = *mine->entry;
    if (counted != 0) add_one(entry.counters.frees);
    if (mine->out.has_room()) [[likely]]
        put(mine->out, entry, kind, block, 0, 0);
    else
        put_slowly(*mine, {{}, kind, block, 0, nullptr}, 0);
    leave(*mine);
}

void note_without_entry(process_state& process, const call& made) noexcept {
    add_to_process(process, made.by);
    allot_wire_counters& sums = process.entry->ended;
    if (is_allocation(made.kind)) __atomic_add_fetch(&sums.short_stacks, 1, __ATOMIC_RELAXED);
    if (const slow_path guard(process); guard.entered()) {
        allot_wire_thread nobody{};
        if (put_shared(process, nobody, made, ALLOT_NODE_UNKNOWN)) return;
    }
    __atomic_add_fetch(&sums.dropped_events, 1, __ATOMIC_RELAXED);
}

void note_slowly(const call& made) noexcept {
    process_state* process = ensure_process();
    if (process == nullptr) return;
    if (current_slot->entry == nullptr && attach_thread(*process) == nullptr)
        return note_without_entry(*process, made);
    allot_wire_thread& entry = *current_slot->entry;
    add_to_thread(entry, made.by);
    thread_block* mine = enter();
    if (mine == nullptr) return add_one(entry.counters.dropped_events); // nested, or no memory
    const std::uint32_t node = is_allocation(made.kind) ? node_of_stack(*mine, made.frame) : 0;
    put_slowly(*mine, made, node);
    leave(*mine);
}

// Inlined into each hook, like all that takes a frame: a hook that ended by jumping here would have given its
// frame up, and the caller's rbp in it would be overwritten.
[[gnu::always_inline]] inline void* allocated(void* block, std::size_t size, const void* frame) noexcept {
    if (block != nullptr) [[likely]]
        note_allocation(ALLOT_EVENT_ALLOCATE, block, size, frame);
    return block;
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
    note_free(ALLOT_EVENT_FREE, block);
    ALLOT_FIXED.real.free(block);
}

[[gnu::always_inline]] inline void* reallocated(void* old, std::size_t size, const void* frame) noexcept {
    if (old == nullptr) return allocated(ALLOT_FIXED.real.realloc(old, size), size, frame);
    if (size == 0 && ALLOT_FIXED.glibc_chunks != 0) { // frees; with another allocator it may not
        note_free(ALLOT_EVENT_FREE, old);
        return ALLOT_FIXED.real.realloc(old, size);
    }
    note_free(ALLOT_EVENT_REALLOCATE_FREE, old);
    void* block = ALLOT_FIXED.real.realloc(old, size);
    if (block != nullptr)
        note_allocation(ALLOT_EVENT_REALLOCATE_ALLOCATE, block, size, frame);
    else
        note_free(size != 0 ? ALLOT_EVENT_REALLOCATE_FAILED : ALLOT_EVENT_FREE, old);
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
    return {hook_malloc,
            hook_free,
            hook_calloc,
            hook_realloc,
            hook_reallocarray,
            hook_posix_memalign,
            hook_aligned_alloc,
            hook_memalign,
            hook_valloc,
            hook_pvalloc,
            ALLOT_FIXED.real.malloc_usable_size};
}

} // namespace allot::recorder
