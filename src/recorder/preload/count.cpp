#include <recorder/preload/attach.hpp>
#include <recorder/preload/counters.hpp>

// Count mode: exact totals, live bytes and peak, nothing else.
//
// The hot path is as short as it can be made: a few single-instruction additions to the thread's entry in the
// segment, so that a signal handler that allocates in between loses nothing and whoever reads the segment,
// even after a kill -9, has the last word. A thread that is not attached adds to its slot's stand-in, whose
// headroom is so far below zero that both tests below fail: one branch serves "new maximum", "time to flush",
// "not attached" and "forked". The way to the entry is three loads and no test, see state.hpp.

extern "C" {
void* __libc_malloc(std::size_t);
}

namespace allot::recorder {

void flush_live_at_once(process_state& process, std::int64_t change, std::int64_t highest) noexcept {
    const auto flush_into = [&](std::int64_t& sum, std::int64_t& peak) {
        const std::int64_t reached = __atomic_fetch_add(&sum, change, __ATOMIC_RELAXED) + highest;
        std::int64_t known = __atomic_load_n(&peak, __ATOMIC_RELAXED);
        while (reached > known && !__atomic_compare_exchange_n(&peak, &known, reached, true, __ATOMIC_RELAXED,
                                                               __ATOMIC_RELAXED)) {
        }
    };
    flush_into(ALLOT_FIXED.segment.header->live_bytes, ALLOT_FIXED.segment.header->peak_live_bytes);
    flush_into(process.entry->live_flushed_bytes, process.entry->peak_live_bytes);
}

// By differences: what a signal handler adds meanwhile stays.
void flush_live(thread_slot& slot, allot_wire_thread& entry, process_state& process) noexcept {
    if (slot.flushing != 0) return;
    slot.flushing = 1;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    const std::int64_t highest = entry.live_unflushed_max_bytes, headroom = entry.live_headroom_bytes;
    const std::int64_t change = highest - headroom;
    flush_live_at_once(process, change, highest);
    add(entry.counters.live_bytes, change);
    add(entry.live_unflushed_max_bytes, -highest);
    add(entry.live_headroom_bytes, -headroom);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    slot.flushing = 0;
}

namespace {

[[gnu::always_inline]] inline allot_wire_thread& here() noexcept { return current_slot->counted(); }

// After the headroom has changed: keeps the maximum, and flushes when the change is large.
void settle(thread_slot& slot, allot_wire_thread& entry, process_state& process) noexcept {
    const std::int64_t above = -entry.live_headroom_bytes;
    if (above > 0) {
        add(entry.live_unflushed_max_bytes, above);
        add(entry.live_headroom_bytes, above);
    }
    const auto batch = static_cast<std::int64_t>(ALLOT_FIXED.batch_bytes);
    if (entry.live_unflushed_max_bytes > batch || entry.live_headroom_bytes > batch)
        flush_live(slot, entry, process);
}

// The hot path could not finish: a new maximum, a flush, or no entry yet, in which case nothing was counted.
[[gnu::noinline, gnu::cold]] void count_slowly(const change& by) noexcept {
    thread_slot* slot = current_slot;
    if (slot->entry != nullptr) return settle(*slot, *slot->entry, *ALLOT_FIXED.process);
    slot->counted().live_headroom_bytes = unattached_headroom;
    process_state* process = ensure_process();
    if (process == nullptr) return;
    allot_wire_thread* entry = attach_thread(*process);
    if (entry == nullptr) return add_to_process(*process, by);
    add_to_thread(*entry, by);
    add(entry->live_headroom_bytes, -by.live_bytes);
    if (ALLOT_FIXED.live_known) settle(*current_slot, *entry, *process);
}

// Growing programs come here often, at each new maximum.
[[gnu::noinline]] void* allocated_at_maximum(void* block, std::size_t size, std::int64_t usable) noexcept {
    allot_wire_thread& entry = here();
    const std::int64_t above = -entry.live_headroom_bytes;
    if (current_slot->entry != nullptr) [[likely]] {
        add(entry.live_unflushed_max_bytes, above);
        add(entry.live_headroom_bytes, above);
        if (entry.live_unflushed_max_bytes <= static_cast<std::int64_t>(ALLOT_FIXED.batch_bytes)) [[likely]]
            return block;
    }
    count_slowly({1, 0, 0, size, usable});
    return block;
}

// Likewise the counterparts of free and realloc, out of line so that the hot path needs no stack.
[[gnu::noinline, gnu::cold]] void freed_far_below(void* block, std::int64_t usable) noexcept {
    count_slowly({0, 1, 0, 0, -usable});
    ALLOT_FIXED.real.free(block);
}
[[gnu::noinline, gnu::cold]] void* reallocated_far_off(void* block, std::size_t size,
                                                       std::int64_t growth) noexcept {
    if (block == nullptr)
        count_slowly({0, 1, 0, 0, growth});
    else
        count_slowly({1, 1, 1, size, growth});
    return block;
}

// How the size of a block is known.
struct glibc_chunk { // the word before the block: size of the chunk, and three flags
    [[gnu::always_inline]] static std::int64_t usable(const void* block) noexcept {
        std::int64_t word = static_cast<const std::int64_t*>(block)[-1];
        bool mapped; // a chunk of its own pages has a header of two words
        asm("testb $2, %b1"
            : "=@ccnz"(mapped)
            : "r"(word)); // the compiler's own choice is two instructions longer
        if (mapped) [[unlikely]] {
            word -= 8;
            asm("" : "+r"(word)); // and keeps this a branch
        }
        asm("andq $-8, %0" : "+r"(word) : : "cc");
        return word - 8;
    }
};
struct own_function {
    static std::int64_t usable(void* block) noexcept {
        return static_cast<std::int64_t>(ALLOT_FIXED.real.malloc_usable_size(block));
    }
};
struct unknown_size {
    static std::int64_t usable(void*) noexcept { return 0; }
};

template <std::int64_t Batch> // 0: from the header
[[gnu::always_inline]] inline bool is_far_below(const allot_wire_thread& entry) noexcept {
    const auto headroom = static_cast<std::uint64_t>(entry.live_headroom_bytes);
    return headroom > static_cast<std::uint64_t>(
                          Batch != 0 ? Batch : static_cast<std::int64_t>(ALLOT_FIXED.batch_bytes));
}

template <class Size, std::int64_t Batch>
struct count {
    [[gnu::always_inline]] static void* allocated(void* block, std::size_t size) noexcept {
        if (block == nullptr) [[unlikely]]
            return nullptr;
        allot_wire_thread& entry = here();
        add_one(entry.counters.allocations);
        add(entry.counters.allocated_bytes, size);
        const std::int64_t usable = Size::usable(block);
        if (subtract_below_zero(entry.live_headroom_bytes, usable)) [[unlikely]]
            return allocated_at_maximum(block, size, usable);
        return block;
    }

    static void* malloc(std::size_t size) { return allocated(ALLOT_FIXED.real.malloc(size), size); }
    static void* calloc(std::size_t n, std::size_t each) {
        return allocated(ALLOT_FIXED.real.calloc(n, each), n * each);
    }
    static void* aligned_alloc(std::size_t align, std::size_t size) {
        return allocated(ALLOT_FIXED.real.aligned_alloc(align, size), size);
    }
    static void* memalign(std::size_t align, std::size_t size) {
        return allocated(ALLOT_FIXED.real.memalign(align, size), size);
    }
    static void* valloc(std::size_t size) { return allocated(ALLOT_FIXED.real.valloc(size), size); }
    static void* pvalloc(std::size_t size) { return allocated(ALLOT_FIXED.real.pvalloc(size), size); }
    static int posix_memalign(void** block, std::size_t align, std::size_t size) {
        const int answer = ALLOT_FIXED.real.posix_memalign(block, align, size);
        if (answer == 0) allocated(*block, size);
        return answer;
    }

    static void free(void* block) {
        if (block == nullptr) [[unlikely]]
            return;
        allot_wire_thread& entry = here();
        add_one(entry.counters.frees);
        const std::int64_t usable = Size::usable(block);
        add(entry.live_headroom_bytes, usable);
        if (is_far_below<Batch>(entry)) [[unlikely]]
            return freed_far_below(block, usable);
        ALLOT_FIXED.real.free(block);
    }

    static void* realloc(void* old, std::size_t size) {
        if (old == nullptr) return allocated(ALLOT_FIXED.real.realloc(old, size), size);
        const std::int64_t before = Size::usable(old);
        void* block = ALLOT_FIXED.real.realloc(old, size);
        if (block == nullptr && size != 0) return nullptr;
        allot_wire_thread& entry = here();
        add_one(entry.counters.frees);
        if (block == nullptr) { // freed
            add(entry.live_headroom_bytes, before);
            if (is_far_below<Batch>(entry)) [[unlikely]]
                return reallocated_far_off(nullptr, 0, -before);
            return nullptr;
        }
        add_one(entry.counters.allocations);
        add_one(entry.counters.reallocations);
        add(entry.counters.allocated_bytes, size);
        const std::int64_t growth = Size::usable(block) - before;
        add(entry.live_headroom_bytes, -growth);
        if (is_far_below<Batch>(entry)) [[unlikely]]
            return reallocated_far_off(block, size, growth);
        return block;
    }

    // libc's own would call our realloc and count it there; its answer to an overflow is wanted all the same.
    static void* reallocarray(void* old, std::size_t n, std::size_t each) {
        std::size_t size;
        if (__builtin_mul_overflow(n, each, &size)) return ALLOT_FIXED.real.reallocarray(old, n, each);
        return realloc(old, size);
    }

    static constexpr allocation_functions functions{malloc,       free,           calloc,        realloc,
                                                    reallocarray, posix_memalign, aligned_alloc, memalign,
                                                    valloc,       pvalloc,        nullptr};
};

} // namespace

allocation_functions count_functions(bool glibc_chunks, bool live_known, bool usual_batch) noexcept {
    allocation_functions chosen;
    if (glibc_chunks && usual_batch)
        chosen = count<glibc_chunk, 256 * 1024>::functions;
    else if (glibc_chunks)
        chosen = count<glibc_chunk, 0>::functions;
    else if (live_known)
        chosen = count<own_function, 0>::functions;
    else
        chosen = count<unknown_size, 0>::functions;
    chosen.malloc_usable_size = ALLOT_FIXED.real.malloc_usable_size;
    return chosen;
}

} // namespace allot::recorder
