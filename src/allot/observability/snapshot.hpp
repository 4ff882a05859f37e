// snapshot: all numbers of one observation at one instant, as a plain value.
//
// The collector makes one, `recording` writes and reads it, analysis and every exporter see nothing else.
// Use it to pass numbers on; do not use it to count: it has no behaviour beyond adding rows up.
// Owns all its text. Threads: a value, like std::vector. Cost: about 80 bytes a context.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace allot {

enum class recording_mode : std::uint8_t { count = 1, full = 2 };
enum class live_basis : std::uint8_t { requested = 0, usable = 1 };

inline constexpr std::uint32_t none = 0xffff'ffff; // "no index" in every table below

// What one heap did: of everything, of a process, of a thread. docs/numbers.md says what each word means.
struct heap_totals {
    std::uint64_t allocations = 0;
    std::uint64_t frees = 0;
    std::uint64_t reallocations = 0;
    std::uint64_t allocated_bytes = 0;
    std::uint64_t live_blocks_at_exit = 0;
    std::uint64_t live_bytes_at_exit = 0;
    std::uint64_t peak_live_bytes = 0;
    std::uint64_t temporary_allocations = 0;
    friend bool operator==(const heap_totals&, const heap_totals&) = default;
};

// What one row of a table did: a context, site, module, thread or process.
struct row_numbers {
    std::uint64_t allocations = 0;
    std::uint64_t allocated_bytes = 0;
    std::uint64_t live_blocks_at_exit = 0;
    std::uint64_t live_bytes_at_exit = 0;
    std::uint64_t peak_live_bytes = 0;    // the row's own maximum
    std::uint64_t live_bytes_at_peak = 0; // at the total's peak; over a table these add up to the total
    std::uint64_t temporary_allocations = 0;

    // Makes one row of two. When both together were highest cannot be known from them: their peak is at least
    // their share at the total's peak, and that is what stands there.
    row_numbers& operator+=(const row_numbers& more) noexcept {
        allocations += more.allocations;
        allocated_bytes += more.allocated_bytes;
        live_blocks_at_exit += more.live_blocks_at_exit;
        live_bytes_at_exit += more.live_bytes_at_exit;
        live_bytes_at_peak += more.live_bytes_at_peak;
        temporary_allocations += more.temporary_allocations;
        peak_live_bytes = live_bytes_at_peak;
        return *this;
    }
    friend bool operator==(const row_numbers&, const row_numbers&) = default;
};

struct module_row {
    std::string path; // absolute, or "[vdso]"; empty for code without a file
    std::vector<std::uint8_t> build_id;
    row_numbers numbers; // of the contexts whose site lies in it
};

// A return address, where the file can find it again: offset is an ELF virtual address in the module; with
// module == none it is the raw address.
struct code_address {
    std::uint32_t module = none;
    std::uint64_t offset = 0;
    friend bool operator==(const code_address&, const code_address&) = default;
};

// The call tree: a node is one frame; its parent is its caller and stands before it in the table. A node with
// numbers.allocations > 0 is a context: the whole stack from it outwards, its own address being the caller of
// the allocation function.
struct context_node {
    static constexpr std::uint32_t root = none;    // parent of a thread's outermost frame
    static constexpr std::uint32_t cut = none - 1; // parent where the stack is known no further out
    std::uint32_t parent = root;
    std::uint32_t site = none; // of contexts: index into sites
    code_address address;
    row_numbers numbers;
};

// The innermost frame outside allocator wrappers, with its own peak over all its contexts.
struct site_row {
    code_address address;
    row_numbers numbers;
};

struct process_exit {
    enum class kind : std::uint8_t {
        unknown = 0, // ended without saying how (not our child), or still running when the recording ended
        code = 1,
        signal = 2,
        exec = 3, // became another program: the next entry with this pid
        running = 4
    };
    kind how = kind::unknown;
    std::int32_t value = 0; // the code or the signal's number
    friend bool operator==(const process_exit&, const process_exit&) = default;
};

struct process_row {
    std::uint32_t pid = 0;
    std::uint32_t parent_pid = 0;
    std::vector<std::string> command;
    std::string executable;
    process_exit exit;
    bool observed = true;
    std::string reason; // why not observed, in plain words; or what else must be said of it
    heap_totals totals;
    std::uint64_t live_bytes_at_peak = 0; // its share at the total's peak
};

struct thread_row {
    std::uint32_t process = 0; // index into processes
    std::uint32_t tid = 0;     // 0: the threads that had no place of their own, together
    std::string name;
    heap_totals totals;
    std::uint64_t live_bytes_at_peak = 0;
};

// What the sources of one kind and name held together in one process, as they said themselves: the library's arenas
// and pools report at the grain of their chunks and slabs.
struct named_source_row {
    std::uint32_t process = 0; // index into processes
    std::string kind;          // "arena"
    std::string name;
    std::uint64_t held_bytes = 0;      // at exit
    std::uint64_t peak_held_bytes = 0; // of the sum
    std::uint64_t held_count = 0;      // chunks or slabs at exit
    std::uint64_t source_count = 0;    // sources ever
    friend bool operator==(const named_source_row&, const named_source_row&) = default;
};

struct snapshot {
    recording_mode mode = recording_mode::full;
    live_basis basis = live_basis::requested;
    std::uint64_t started_realtime_ns = 0;
    std::uint64_t duration_ns = 0;
    std::uint64_t peak_rss_bytes = 0;
    heap_totals totals;
    std::uint64_t dropped_stacks = 0;    // allocations counted without their stack
    std::uint64_t dropped_events = 0;    // allocations and frees that are in the totals but in no other row
    std::uint64_t short_stacks = 0;      // allocations whose stack does not reach its thread's root
    std::uint64_t folded_stacks = 0;     // stacks shortened by folding recursion, to bound the tree
    std::uint64_t processes_lost = 0;    // processes that ran unobserved for want of an entry
    std::uint64_t error_bound_bytes = 0; // peaks are right within this
    bool partial = false;                // recovered from a recording whose collector died
    std::vector<module_row> modules;
    std::vector<context_node> contexts; // full mode only
    std::vector<site_row> sites;
    std::vector<process_row> processes; // in order of their start; [0] is the program that was named
    std::vector<thread_row> threads;
    std::vector<named_source_row> named_sources;
    std::vector<std::string> notes; // one plain sentence each: what was not observed, and why
};

} // namespace allot
