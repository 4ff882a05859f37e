// tables: what the collector knows, as plain records in the part of the segment file behind the wire's parts.
//
// It lives in the file so that a snapshot can be made after the collector was killed (recovery.hpp); the
// collector itself uses the tables as arrays. Where the file system has no more room a table goes on in
// private memory, and full_disk() says so. Each table has a fixed place and capacity; only what is used is
// backed.
// Borrows the segment. Threads: one writes; a reader in another process sees whole records up to `count`.
// Cost: an index into an array; adding a record sometimes a system call.
//
//     auto file = segment::make({.path = path, .collected_bytes = tables::bytes({})});
//     tables all(*file, {});
//     std::uint32_t row = all.rows.add({.allocations = 1});      // none when the table is full
//     all.rows[row].live_bytes.add(24, all.head().epoch);
#pragma once

#include <allot/observability/snapshot.hpp>
#include <cstddef>
#include <cstdint>
#include <recorder/collector/segment.hpp>
#include <span>
#include <string_view>
#include <type_traits>

namespace allot::recorder {

// A row's live bytes, their maximum, and their value at the total's peak. The latter is brought up to date at
// the first change after a new peak: `epoch` is the total's epoch at the last change, and each new peak of
// the total raises that. So where epoch is older, nothing has changed since the peak and `live` is the value.
struct gauge {
    std::int64_t live = 0;
    std::int64_t peak = 0;
    std::int64_t at_peak = 0;
    std::uint64_t epoch = 0;

    void add(std::int64_t bytes, std::uint64_t now) noexcept {
        if (epoch != now) {
            at_peak = live;
            epoch = now;
        }
        live = sum(live, bytes);
        if (live > peak) peak = live;
    }
    void subtract(std::int64_t bytes, std::uint64_t now) noexcept {
        if (epoch != now) {
            at_peak = live;
            epoch = now;
        }
        live = sum(live, -bytes);
    }
    std::int64_t value_at_peak(std::uint64_t now) const noexcept { return epoch == now ? at_peak : live; }

    // Wraps: sizes come from outside and may be anything.
    static std::int64_t sum(std::int64_t left, std::int64_t right) noexcept {
        return static_cast<std::int64_t>(static_cast<std::uint64_t>(left) +
                                         static_cast<std::uint64_t>(right));
    }
};

struct node_record { // a frame of the call tree
    std::uint32_t parent = context_node::root;
    std::uint32_t module = none;
    std::uint64_t offset = 0;
    std::uint32_t row = none; // its numbers, once an allocation came from it
    std::uint32_t unused = 0;
};
struct row_record { // a context's numbers: one cache line, written at each event
    gauge live_bytes = {};
    std::uint64_t allocations = 0;
    std::uint64_t allocated_bytes = 0;
    std::uint64_t temporaries = 0;
    std::uint32_t live_blocks = 0;
    std::uint32_t site = 0;
};
struct row_rest_record { // the part of it that changes rarely; same index
    std::uint64_t exit_blocks = 0;
    std::uint64_t exit_bytes = 0;
    std::uint32_t node = 0;
    std::uint32_t unused = 0;
};
struct site_record {
    gauge live_bytes = {};
    std::uint64_t offset = 0;
    std::uint32_t module = none; // index into modules; the module without a path for code without a file
    std::uint32_t unused = 0;
};
struct text_ref {
    std::uint32_t at = 0, bytes = 0; // in the text table
};
struct module_record {
    gauge live_bytes = {};
    text_ref path = {}, build_id = {};
};
struct counters_record { // exact, out of the wire's counters
    std::uint64_t allocations = 0, frees = 0, reallocations = 0, allocated_bytes = 0;
    std::uint64_t dropped_events = 0, dropped_stacks = 0, short_stacks = 0;
    std::int64_t live_bytes = 0; // count mode
};
struct process_record {
    gauge live_bytes = {};
    std::uint64_t serial = 0; // of the entry; of the one before it for a program that did not attach
    std::uint64_t start_stamp = 0;
    std::uint32_t entry = none; // index of the wire's entry while it is there: its counters are then there
    std::uint32_t pid = 0, parent_pid = 0;
    std::uint32_t how = 0; // process_exit::kind
    std::int32_t value = 0;
    std::uint32_t observed = 1;
    std::uint32_t live_basis = 0;
    std::uint32_t own_operator_new = 0;
    counters_record counters = {};     // of what the wire no longer has
    std::int64_t count_peak_bytes = 0; // count mode
    std::uint64_t folded_stacks = 0;
    text_ref command = {}, executable = {}, reason = {}; // command: arguments, each ended by a zero byte
};
struct thread_record {
    gauge live_bytes = {};
    std::uint64_t last_address = 0; // of its newest allocation while that is live, else 0
    std::uint64_t sequence = 0;     // allocations taken in
    std::uint64_t temporaries = 0;
    std::int64_t live_blocks = 0;
    std::uint64_t exit_blocks = 0;
    std::uint64_t exit_bytes = 0;
    std::uint32_t process = 0; // index into processes
    std::uint32_t tid = 0;
    std::uint32_t entry = none; // as in process_record
    std::uint32_t unused = 0;
    counters_record counters = {};
    char name[16] = {};
};

struct source_record {            // a source entry of the wire, of a process that is not there any more
    std::uint32_t process = none; // index into processes; counts once that has no entry in the wire
    std::uint32_t unused = 0;
    char kind[16] = {};
    char name[32] = {};
    std::uint64_t held_bytes = 0, peak_held_bytes = 0, held_count = 0, source_count = 0;
};

enum table_id : std::uint32_t {
    table_nodes,
    table_rows,
    table_row_rests,
    table_sites,
    table_modules,
    table_processes,
    table_threads,
    table_sources,
    table_text,
    table_count
};

struct tables_head {
    char magic[8];
    std::uint32_t version;
    std::uint32_t lossy;         // 1: a table is not in the file as a whole
    gauge total;                 // of all processes; total.epoch is its epoch
    std::uint64_t taken_in;      // events applied
    std::uint64_t unknown_frees; // of memory from before the attach
    std::uint64_t late_events;   // applied out of order
    std::uint64_t late_bytes;
    std::uint64_t untracked;     // allocations without a place in the live table
    std::uint64_t corrupt;       // places in rings that made no sense
    std::uint64_t contexts_lost; // allocations whose context found no room
    std::uint64_t threads_most;  // live at once
    std::uint64_t start_monotonic_ns;
    std::uint64_t last_monotonic_ns; // of the collector's last look
    struct {
        std::uint64_t offset;   // from the head
        std::uint64_t capacity; // records
        std::uint64_t count;    // records that are whole, in the file
        std::uint64_t record_bytes;
    } parts[table_count];
};
inline constexpr char tables_magic[8] = {'A', 'L', 'L', 'O', 'T', 'C', 'O', 'L'};

struct tables_options {
    std::uint32_t contexts_max = 1u << 22;
};

namespace detail {
struct growing_part { // type-free half of a table
    segment* file = nullptr;
    tables_head* head = nullptr;
    std::uint32_t id = 0;
    std::size_t backed = 0; // bytes
    bool in_file = true;
    bool grow(std::size_t bytes_needed); // false: no memory either
};
} // namespace detail

template <class T>
class table {
    static_assert(std::is_trivially_copyable_v<T>);

public:
    T& operator[](std::uint32_t index) noexcept { return data_[index]; }
    const T& operator[](std::uint32_t index) const noexcept { return data_[index]; }
    std::uint32_t count() const noexcept { return count_; }
    std::span<const T> all() const noexcept { return {data_, count_}; }

    // The new record's index, or none when there is no room.
    std::uint32_t add(const T& record) { return add_many({&record, 1}); }
    std::uint32_t add_many(std::span<const T> records) {
        if (records.size() > capacity_ - count_) return none;
        const std::size_t end = (count_ + records.size()) * sizeof(T);
        if (end > part_.backed && !part_.grow(end)) return none;
        std::uint32_t first = count_;
        for (const T& record : records) data_[count_++] = record;
        if (part_.in_file)
            __atomic_store_n(&part_.head->parts[part_.id].count, std::uint64_t{count_}, __ATOMIC_RELEASE);
        return first;
    }

private:
    friend class tables;
    T* data_ = nullptr;
    std::uint32_t count_ = 0;
    std::uint32_t capacity_ = 0;
    detail::growing_part part_;
};

class tables {
public:
    static std::size_t bytes(const tables_options& options); // for segment_options::collected_bytes

    // Errors: no space for the first pages. Expects: the segment was made with bytes(options), and outlives
    // this.
    static result<void> prepare(segment& file, const tables_options& options);
    // Expects: prepare() went well.
    explicit tables(segment& file) noexcept;
    tables(const tables&) = delete;
    tables& operator=(const tables&) = delete;

    tables_head& head() noexcept { return *head_; }
    const tables_head& head() const noexcept { return *head_; }

    text_ref add_text(std::string_view text); // cut to nothing when there is no room
    std::string_view text_of(text_ref ref) const noexcept { return {text_.all().data() + ref.at, ref.bytes}; }

    table<node_record> nodes;
    table<row_record> rows;
    table<row_rest_record> row_rests;
    table<site_record> sites;
    table<module_record> modules;
    table<process_record> processes;
    table<thread_record> threads;
    table<source_record> sources;

    const table<char>& text() const noexcept { return text_; }

private:
    tables_head* head_;
    table<char> text_;
};

// The same, to read: of a collector at work, or out of a file that one left.
struct tables_view {
    const tables_head* head = nullptr;
    std::span<const node_record> nodes;
    std::span<const row_record> rows;
    std::span<const row_rest_record> row_rests;
    std::span<const site_record> sites;
    std::span<const module_record> modules;
    std::span<const process_record> processes;
    std::span<const thread_record> threads;
    std::span<const source_record> sources;
    std::span<const char> text;

    static tables_view of(const tables& all) noexcept;
    // Errors: not such tables, or parts outside of the bytes.
    static result<tables_view> read(std::span<const std::byte> bytes);

    // Empty where the reference leads outside.
    std::string_view text_of(text_ref ref) const noexcept {
        if (ref.at > text.size() || ref.bytes > text.size() - ref.at) return {};
        return {text.data() + ref.at, ref.bytes};
    }
};

} // namespace allot::recorder
