// attach: makes this process and its threads known in the segment, and ends them.
//
// The hooks call it on their slow paths only. See state.hpp for what a fork leaves behind and why.
// Threads: any; ensure_process and attach_thread answer "no" to a signal handler that interrupted themselves.
// Cost: the first call of a program about 100 µs (symbols, one open, two mmaps); a thread about 1 µs.
#pragma once

#include <recorder/preload/counters.hpp>
#include <recorder/preload/state.hpp>

#pragma GCC visibility push(hidden)

namespace allot::recorder {

// Once in the life of a program image: finds the real functions, maps the segment and chooses the hooks.
// False: it is under way on this very path (the dynamic linker allocates inside), use libc's own functions.
bool start() noexcept;

// The state of this process, attached if need be (a forked child does so at its first hook). Null:
// unobserved.
process_state* ensure_process() noexcept;

// Gives the calling thread its entry. Null: it has none (see thread_kind), or is unobserved.
allot_wire_thread* attach_thread(process_state& process) noexcept;

// Full mode: a ring for the process's threads to share. False: there is none. Expects: overflow_lock is held.
bool open_overflow(process_state& process) noexcept;

// Of the program: behind ALLOT_FIXED.command.
const allot_wire_record* executable_record() noexcept;

// Destructor of ALLOT_FIXED.key.
extern "C" void end_thread(void* slot) noexcept;

// Keeps the exit code for the collector.
void note_exit(int code) noexcept;

// What one call did.
struct change {
    std::uint64_t allocations, frees, reallocations, allocated_bytes;
    std::int64_t live_bytes; // count mode
};
void add_to_process(process_state& process, const change& by) noexcept;
inline void add_to_thread(allot_wire_thread& entry, const change& by) noexcept {
    add(entry.counters.allocations, by.allocations);
    add(entry.counters.frees, by.frees);
    add(entry.counters.reallocations, by.reallocations);
    add(entry.counters.allocated_bytes, by.allocated_bytes);
}

// Marks the calling thread as being on a slow path of this process, for hooks in signal handlers to see.
class [[nodiscard]] slow_path {
public:
    explicit slow_path(const process_state& process) noexcept;
    ~slow_path();
    slow_path(const slow_path&) = delete;
    slow_path& operator=(const slow_path&) = delete;
    bool entered() const noexcept { return entered_; } // false: it was marked already

private:
    bool entered_;
};

// Count mode: adds a thread's change of live bytes to the shared sums.
void flush_live(thread_slot& slot, allot_wire_thread& entry, process_state& process) noexcept;
void flush_live_at_once(process_state& process, std::int64_t change, std::int64_t highest) noexcept;

// The sets of functions to choose from; the table begins with those that call start().
allocation_functions count_functions(bool glibc_chunks, bool live_known, bool usual_batch) noexcept;
allocation_functions full_functions() noexcept;

} // namespace allot::recorder

#pragma GCC visibility pop
