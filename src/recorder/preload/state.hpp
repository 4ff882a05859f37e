// state: all that the library knows, sorted by how it may change.
//
// The danger that decides the sorting is fork, in every form, raw clone included, which no handler sees:
//   fixed          set once by the first hook call of the program, then read-only pages. A forked child inherits it.
//   process        of this process only. It lies in pages that the kernel wipes in a child (MADV_WIPEONFORK), so that
//                  a child finds "not attached", unlocked locks and no threads, whatever its parent was doing.
//   thread_slot    of one thread in this process: wiped likewise. Its entry's place is kept as a distance from
//                  the slot's stand-in, so that a wiped slot leads to that harmless entry instead of the parent's.
//   thread_local   only a pointer to the slot, and plain memory to use again. A vfork child shares everything.
// Signals: a hook may be interrupted anywhere by a handler that allocates. Counters change by single
// instructions; claims and ring writes are guarded per thread (`slow_path`, the block's `inside`), and a
// nested hook then only counts.
#pragma once

#include <allot/platform/call_stack.hpp>
#include <cstddef>
#include <cstdint>
#include <pthread.h>
#include <recorder/preload/hook_mutex.hpp>
#include <recorder/preload/modules.hpp>
#include <recorder/preload/node_table.hpp>
#include <recorder/preload/page_chain.hpp>
#include <recorder/preload/ring_producer.hpp>
#include <recorder/preload/ring_wait.hpp>
#include <recorder/preload/segment_view.hpp>
#include <recorder/preload/source_list.hpp>
#include <recorder/wire.h>

#pragma GCC visibility push(hidden)

namespace allot::recorder {

// The functions that programs call, or the ones behind ours that do the work.
struct allocation_functions {
    void* (*malloc)(std::size_t);
    void (*free)(void*);
    void* (*calloc)(std::size_t, std::size_t);
    void* (*realloc)(void*, std::size_t);
    void* (*reallocarray)(void*, std::size_t, std::size_t);
    int (*posix_memalign)(void**, std::size_t, std::size_t);
    void* (*aligned_alloc)(std::size_t, std::size_t);
    void* (*memalign)(std::size_t, std::size_t);
    void* (*valloc)(std::size_t);
    void* (*pvalloc)(std::size_t);
    std::size_t (*malloc_usable_size)(void*);
};

struct process_state;
struct thread_slot;

struct fixed_state {
    allocation_functions call; // what the exported functions jump to: start, passive, count or full
    allocation_functions real; // the next ones behind ours
    int (*real_dlclose)(void*);
    void (*real_exit)(int);
    process_state* process; // null: passive for good
    thread_slot* slots;     // as many as the segment has thread entries
    segment_view segment;
    std::uint64_t batch_bytes;
    std::uint32_t mode;                     // enum allot_wire_mode, 0: passive
    std::uint32_t basis;                    // enum allot_wire_basis
    std::uint32_t reason;                   // enum allot_wire_reason
    std::uint32_t glibc_chunks;             // the next malloc is glibc's own
    std::uint32_t own_operator_new;         // it comes with an operator new that passes malloc by
    std::uint32_t live_known;               // count mode: the size of a block can be told when it is freed
    pthread_key_t key;                      // its destructor ends a thread
    std::uint32_t control_block_tid_offset; // of the thread id from the thread pointer, 0: unknown
    stack_bounds main_stack;
    const char* command; // a whole ALLOT_BLOB_COMMAND record, then an ALLOT_BLOB_EXECUTABLE record
};

union fixed_page {
    fixed_state state;
    char bytes[4096];
};
static_assert(sizeof(fixed_page) == 4096);
extern fixed_page fixed_storage;
#define ALLOT_FIXED (::allot::recorder::fixed_storage.state)

enum process_phase : std::uint32_t {
    phase_unattached = 0, // a wiped page says this
    phase_attaching = 1,
    phase_live = 2,
    phase_lost = 3 // no free entry for it: runs unobserved
};

struct process_state {
    std::uint32_t phase; // enum process_phase
    std::uint32_t index; // of its entry
    std::uint64_t serial;
    allot_wire_process* entry;
    consumer_watch consumer;

    hook_mutex tree_lock; // pages, nodes and modules: taken only where something is new
    page_chain node_pages;
    page_chain blob_pages;
    node_table nodes;
    module_list modules;
    std::uint32_t node_generation; // goes up when `nodes` forgets
    std::uint32_t has_threads;

    hook_mutex overflow_lock; // the ring that threads without their own share
    ring_producer overflow;
    std::uint32_t overflow_tried; // events since the last vain search for a ring

    hook_mutex block_lock;
    struct thread_block* idle_blocks;

    hook_mutex source_lock;
    source_list sources;
};

// One cache line each, found through the thread's `current_slot`. Slots lie in wiped pages, their stand-ins in
// plain ones at a fixed distance behind: with the sum in the addresses of the fields, the entry to count in is found
// without a test and without the address of anything else.
struct alignas(64) thread_slot {
    static constexpr std::uint32_t count_max = 16384;
    static constexpr std::ptrdiff_t to_stand_in = count_max * std::ptrdiff_t{64};

    std::int64_t entry_distance; // from the stand-in; a wiped slot's 0: not attached
    struct thread_block* block;  // full mode
    allot_wire_thread* entry;
    std::uint32_t flushing;   // count mode: a flush of this thread is under way
    std::uint32_t end_rounds; // rounds of key destructors that this thread has been through

    [[gnu::always_inline]] allot_wire_thread& counted() noexcept {
        auto* place = reinterpret_cast<char*>(this);
        // The compiler would load, then add all three in a slower and longer way.
        asm("addq %1, %0" : "+r"(place) : "m"(entry_distance) : "cc");
        return *reinterpret_cast<allot_wire_thread*>(place + to_stand_in);
    }
    // Takes the counts of a thread that is not attached, which are counted anew when it is. Its headroom stays far
    // below zero. (It is longer than a slot, so that neighbours overlap: there the next one counts its allocations.)
    allot_wire_thread& stand_in() noexcept {
        return *reinterpret_cast<allot_wire_thread*>(reinterpret_cast<char*>(this) + to_stand_in);
    }
    void lead_to(allot_wire_thread& entry_of_thread) noexcept {
        entry_distance = reinterpret_cast<char*>(&entry_of_thread) - reinterpret_cast<char*>(&stand_in());
    }
};
static_assert(sizeof(thread_slot) == 64 && ALLOT_WIRE_THREADS <= thread_slot::count_max);
static_assert(offsetof(allot_wire_thread, live_headroom_bytes) ==
              64 + offsetof(allot_wire_thread, counters.allocations));

// A thread's private part in full mode. Plain memory: it is only reached through a slot.
struct thread_block {
    ring_producer out; // closed: uses the process's overflow ring
    allot_wire_thread* entry;
    stack_bounds bounds;
    std::uint32_t inside; // 1: a hook of this thread is at work
    thread_block* next_idle;
    std::uint32_t node_generation; // of the node table that the payloads in `stacks` came from
    stack_cache stacks;
};

inline constexpr std::int64_t unattached_headroom = -(std::int64_t{1} << 62);

// Of threads that have no slot of their own: it leads to an entry that is like a stand-in.
struct shared_slot {
    thread_slot slot;
    allot_wire_thread entry;
};
extern shared_slot unattached;
extern shared_slot past_end; // threads past their last destructor, or without an entry

extern unwind_rules rules; // of the address space: outlives a fork

extern __thread thread_slot* current_slot __attribute__((tls_model("initial-exec")));

} // namespace allot::recorder

#pragma GCC visibility pop
