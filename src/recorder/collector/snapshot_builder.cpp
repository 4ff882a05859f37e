#include <recorder/collector/snapshot_builder.hpp>

#include <algorithm>
#include <cstring>
#include <numeric>
#include <recorder/collector/threads.hpp>
#include <recorder/collector/wire_source.hpp>

namespace allot::recorder {
namespace {

std::uint64_t positive(std::int64_t value) { return value < 0 ? 0 : static_cast<std::uint64_t>(value); }

class builder {
public:
    builder(const tables_view& tables, const segment_map& file) : tables_(tables), file_(file) {}

    snapshot build() {
        out_.mode = file_.mode();
        out_.started_realtime_ns = file_.header().started_realtime_ns;
        if (tables_.head->last_monotonic_ns > tables_.head->start_monotonic_ns)
            out_.duration_ns = tables_.head->last_monotonic_ns - tables_.head->start_monotonic_ns;
        out_.processes_lost = __atomic_load_n(&file_.header().processes_lost, __ATOMIC_RELAXED);
        add_processes();
        add_threads();
        add_sources();
        if (out_.mode == recording_mode::full) {
            add_modules();
            add_sites();
            add_contexts();
        }
        add_totals();
        add_notes();
        return std::move(out_);
    }

private:
    std::uint64_t epoch() const { return tables_.head->total.epoch; }
    bool full() const { return out_.mode == recording_mode::full; }

    std::string text(text_ref ref) const { return std::string(tables_.text_of(ref)); }

    // The wire's entry of a record, if it is still there.
    template <class Entry>
    const Entry* still(const Entry* entry, std::uint64_t serial, std::uint64_t of_record) const {
        return __atomic_load_n(&entry->state, __ATOMIC_ACQUIRE) != ALLOT_FREE && serial == of_record
                   ? entry
                   : nullptr;
    }

    // Sums per entry of the threads that are in the wire.
    void read_wire() {
        wire_sums_.resize(file_.process_count());
        wire_unflushed_max_.resize(file_.process_count());
        for (std::uint32_t index = 0; index < file_.process_count(); ++index)
            if (__atomic_load_n(&file_.process(index)->state, __ATOMIC_ACQUIRE) != ALLOT_FREE)
                wire_sums_[index] = read_counters(file_.process(index)->ended);
        for (std::uint32_t index = 0; index < file_.thread_count(); ++index) {
            const allot_wire_thread& thread = *file_.thread(index);
            const std::uint32_t state = __atomic_load_n(&thread.state, __ATOMIC_ACQUIRE);
            const std::uint32_t owner = thread.process;
            if (state != ALLOT_LIVE && state != ALLOT_ENDED) continue;
            if (owner >= file_.process_count() || file_.process(owner)->serial != thread.process_serial)
                continue;
            add_counters(wire_sums_[owner], read_counters(thread));
            wire_unflushed_max_[owner] =
                gauge::sum(wire_unflushed_max_[owner],
                           __atomic_load_n(&thread.live_unflushed_max_bytes, __ATOMIC_RELAXED));
        }
    }

    void add_processes() {
        read_wire();
        order_.resize(tables_.processes.size());
        std::iota(order_.begin(), order_.end(), 0u);
        std::sort(order_.begin(), order_.end(), [&](std::uint32_t a, std::uint32_t b) {
            return std::pair(tables_.processes[a].serial, a) < std::pair(tables_.processes[b].serial, b);
        });
        place_.assign(order_.size(), none);
        for (std::uint32_t index : order_) {
            place_[index] = static_cast<std::uint32_t>(out_.processes.size());
            add_process(tables_.processes[index]);
        }
    }

    void add_process(const process_record& record) {
        process_row row;
        row.pid = record.pid;
        row.parent_pid = record.parent_pid;
        row.executable = text(record.executable);
        row.reason = text(record.reason);
        row.observed = record.observed != 0;
        const std::string command = text(record.command);
        for (std::size_t at = 0; at < command.size();) {
            const std::size_t end = std::min(command.find('\0', at), command.size());
            row.command.push_back(command.substr(at, end - at));
            at = end + 1;
        }
        if (record.how <= static_cast<std::uint32_t>(process_exit::kind::running))
            row.exit = {static_cast<process_exit::kind>(record.how), record.value};
        counters_record counters = record.counters;
        std::int64_t count_peak = record.count_peak_bytes;
        const std::uint32_t entry = record.entry;
        if (entry < file_.process_count() && file_.process(entry)->serial == record.serial) {
            const allot_wire_process& wire = *file_.process(entry);
            counters = wire_sums_[entry];
            count_peak = std::max(__atomic_load_n(&wire.peak_live_bytes, __ATOMIC_RELAXED),
                                  gauge::sum(__atomic_load_n(&wire.live_flushed_bytes, __ATOMIC_RELAXED),
                                             wire_unflushed_max_[entry]));
            out_.folded_stacks += __atomic_load_n(&wire.folded_stacks, __ATOMIC_RELAXED);
        }
        out_.folded_stacks += record.folded_stacks;
        row.totals.allocations = counters.allocations;
        row.totals.frees = counters.frees;
        row.totals.reallocations = counters.reallocations;
        row.totals.allocated_bytes = counters.allocated_bytes;
        if (full()) {
            row.totals.peak_live_bytes = positive(record.live_bytes.peak);
            row.live_bytes_at_peak = positive(record.live_bytes.value_at_peak(epoch()));
        } else {
            row.totals.peak_live_bytes = positive(count_peak);
            row.totals.live_bytes_at_exit = positive(counters.live_bytes);
            row.totals.live_blocks_at_exit =
                counters.allocations - std::min(counters.frees, counters.allocations);
            if (record.live_basis != ALLOT_BASIS_REQUESTED) out_.basis = live_basis::usable;
        }
        out_.dropped_events += counters.dropped_events;
        out_.dropped_stacks += counters.dropped_stacks;
        out_.short_stacks += counters.short_stacks;
        out_.processes.push_back(std::move(row));
    }

    void add_threads() {
        for (std::uint32_t index = 0; index < tables_.threads.size(); ++index) {
            const thread_record record = tables_.threads[index];
            if (record.process >= place_.size()) continue;
            counters_record counters = record.counters;
            if (record.entry < file_.thread_count()) {
                const allot_wire_thread& wire = *file_.thread(record.entry);
                if (wire.process_serial == tables_.processes[record.process].serial && wire.tid == record.tid)
                    add_counters(counters, read_counters(wire));
            }
            thread_row row;
            row.process = place_[record.process];
            row.tid = record.tid;
            row.name.assign(record.name, ::strnlen(record.name, sizeof record.name));
            row.totals = {counters.allocations,
                          counters.frees,
                          counters.reallocations,
                          counters.allocated_bytes,
                          0,
                          0,
                          0,
                          record.temporaries};
            if (full()) {
                row.totals.live_blocks_at_exit = record.exit_blocks + positive(record.live_blocks);
                row.totals.live_bytes_at_exit = record.exit_bytes + positive(record.live_bytes.live);
                row.totals.peak_live_bytes = positive(record.live_bytes.peak);
                row.live_bytes_at_peak = positive(record.live_bytes.value_at_peak(epoch()));
                process_row& owner = out_.processes[row.process];
                owner.totals.live_blocks_at_exit += row.totals.live_blocks_at_exit;
                owner.totals.live_bytes_at_exit += row.totals.live_bytes_at_exit;
                owner.totals.temporary_allocations += row.totals.temporary_allocations;
            } else {
                row.totals.live_bytes_at_exit = positive(counters.live_bytes);
                row.totals.live_blocks_at_exit =
                    counters.allocations - std::min(counters.frees, counters.allocations);
            }
            out_.threads.push_back(std::move(row));
        }
    }

    // Of processes that are gone: out of the tables; of the others: out of the wire.
    void add_sources() {
        std::vector<std::uint32_t> by_entry(file_.process_count(), none);
        for (std::uint32_t index = 0; index < tables_.processes.size(); ++index)
            if (const std::uint32_t entry = tables_.processes[index].entry;
                entry < by_entry.size() && file_.process(entry)->serial == tables_.processes[index].serial)
                by_entry[entry] = index;
        for (const source_record& record : tables_.sources)
            if (record.process < place_.size() && tables_.processes[record.process].entry == none)
                add_source(record, record.process);
        for (std::uint32_t index = 0; index < file_.source_count(); ++index)
            if (const auto seen = read_source(*file_.source(index));
                seen && seen->entry < by_entry.size() && by_entry[seen->entry] != none &&
                tables_.processes[by_entry[seen->entry]].serial == seen->serial)
                add_source(seen->record, by_entry[seen->entry]);
        order_sources();
    }

    // By process, else as they are. (std::stable_sort of libstdc++ 12 uses what C++17 deprecates: clang says so.)
    void order_sources() {
        std::vector<std::pair<std::uint32_t, std::size_t>> order;
        for (const named_source_row& row : out_.named_sources) order.emplace_back(row.process, order.size());
        std::ranges::sort(order);
        std::vector<named_source_row> ordered;
        for (const auto& [process, index] : order) ordered.push_back(std::move(out_.named_sources[index]));
        out_.named_sources = std::move(ordered);
    }

    void add_source(const source_record& record, std::uint32_t process) {
        out_.named_sources.push_back({.process = place_[process],
                                      .kind = {record.kind, ::strnlen(record.kind, sizeof record.kind)},
                                      .name = {record.name, ::strnlen(record.name, sizeof record.name)},
                                      .held_bytes = record.held_bytes,
                                      .peak_held_bytes = record.peak_held_bytes,
                                      .held_count = record.held_count,
                                      .source_count = record.source_count});
    }

    void add_modules() {
        std::vector<bool> used(tables_.modules.size());
        for (const row_record& row : tables_.rows)
            if (row.allocations != 0 && row.site < tables_.sites.size() &&
                tables_.sites[row.site].module < used.size())
                used[tables_.sites[row.site].module] = true;
        module_place_.assign(tables_.modules.size(), none);
        for (std::uint32_t index = 0; index < tables_.modules.size(); ++index) {
            const module_record& record = tables_.modules[index];
            if (record.path.bytes == 0 && !used[index])
                continue; // code without a file is a row only where needed
            module_place_[index] = static_cast<std::uint32_t>(out_.modules.size());
            module_row row;
            row.path = text(record.path);
            const std::string_view id = tables_.text_of(record.build_id);
            row.build_id.assign(id.begin(), id.end());
            fill_live(row.numbers, record.live_bytes);
            out_.modules.push_back(std::move(row));
        }
    }

    code_address address(std::uint32_t module, std::uint64_t offset) const {
        if (module >= tables_.modules.size() || tables_.modules[module].path.bytes == 0)
            return {none, offset};
        return {module_place_[module], offset};
    }

    void fill_live(row_numbers& numbers, const gauge& live) const {
        numbers.peak_live_bytes = positive(live.peak);
        numbers.live_bytes_at_peak = positive(live.value_at_peak(epoch()));
    }

    void add_sites() {
        std::vector<bool> used(tables_.sites.size());
        for (const row_record& row : tables_.rows)
            if (row.allocations != 0 && row.site < used.size()) used[row.site] = true;
        site_place_.assign(tables_.sites.size(), none);
        for (std::uint32_t index = 0; index < tables_.sites.size(); ++index) {
            if (!used[index]) continue;
            const site_record& record = tables_.sites[index];
            site_place_[index] = static_cast<std::uint32_t>(out_.sites.size());
            site_row row;
            row.address = address(record.module, record.offset);
            fill_live(row.numbers, record.live_bytes);
            out_.sites.push_back(row);
        }
    }

    static void add_events(row_numbers& sum, const row_numbers& more) {
        sum.allocations += more.allocations;
        sum.allocated_bytes += more.allocated_bytes;
        sum.live_blocks_at_exit += more.live_blocks_at_exit;
        sum.live_bytes_at_exit += more.live_bytes_at_exit;
        sum.temporary_allocations += more.temporary_allocations;
    }

    void add_contexts() {
        // Node 0 is the unknown stack: a row only where an allocation has one. Nobody's parent.
        const bool unknown = !tables_.rows.empty() && tables_.rows[0].allocations != 0;
        const std::uint32_t first = unknown ? 0 : 1;
        for (std::uint32_t index = first; index < tables_.nodes.size(); ++index) {
            const node_record record = tables_.nodes[index];
            context_node node;
            node.parent = record.parent;
            if (record.parent != context_node::root && record.parent != context_node::cut)
                node.parent = record.parent < index && record.parent >= first ? record.parent - first
                                                                              : context_node::cut;
            node.address = address(record.module, record.offset);
            if (record.row < tables_.rows.size()) fill_context(node, record.row);
            out_.contexts.push_back(node);
        }
    }

    void fill_context(context_node& node, std::uint32_t index) {
        const row_record row = tables_.rows[index];
        const row_rest_record rest =
            index < tables_.row_rests.size() ? tables_.row_rests[index] : row_rest_record{};
        if (row.allocations == 0) return;
        node.numbers.allocations = row.allocations;
        node.numbers.allocated_bytes = row.allocated_bytes;
        node.numbers.live_blocks_at_exit = rest.exit_blocks + row.live_blocks;
        node.numbers.live_bytes_at_exit = rest.exit_bytes + positive(row.live_bytes.live);
        node.numbers.temporary_allocations = row.temporaries;
        fill_live(node.numbers, row.live_bytes);
        if (row.site >= site_place_.size()) return;
        node.site = site_place_[row.site];
        if (node.site == none) return; // it was written meanwhile
        add_events(out_.sites[node.site].numbers, node.numbers);
        const std::uint32_t module = tables_.sites[row.site].module;
        if (module < module_place_.size() && module_place_[module] != none)
            add_events(out_.modules[module_place_[module]].numbers, node.numbers);
    }

    void add_totals() {
        for (const process_row& row : out_.processes) {
            heap_totals& sum = out_.totals;
            sum.allocations += row.totals.allocations;
            sum.frees += row.totals.frees;
            sum.reallocations += row.totals.reallocations;
            sum.allocated_bytes += row.totals.allocated_bytes;
            sum.live_blocks_at_exit += row.totals.live_blocks_at_exit;
            sum.live_bytes_at_exit += row.totals.live_bytes_at_exit;
            sum.temporary_allocations += row.totals.temporary_allocations;
        }
        if (full()) {
            out_.totals.peak_live_bytes = positive(tables_.head->total.peak);
            // What was counted and did not arrive here, for whatever reason.
            const std::uint64_t counted = out_.totals.allocations + out_.totals.frees;
            if (counted > tables_.head->taken_in)
                out_.dropped_events = std::max(out_.dropped_events, counted - tables_.head->taken_in);
            out_.error_bound_bytes = tables_.head->late_bytes;
        } else {
            std::int64_t unflushed = 0;
            for (std::int64_t each : wire_unflushed_max_) unflushed = gauge::sum(unflushed, each);
            const allot_wire_header& header = file_.header();
            const std::int64_t now =
                gauge::sum(__atomic_load_n(&header.live_bytes, __ATOMIC_RELAXED), unflushed);
            out_.totals.peak_live_bytes =
                positive(std::max(__atomic_load_n(&header.peak_live_bytes, __ATOMIC_RELAXED), now));
            if (tables_.threads.size() > 1) {
                const std::uint64_t most = std::max<std::uint64_t>(tables_.head->threads_most, 1);
                out_.error_bound_bytes = most * header.batch_bytes;
            }
        }
    }

    void note(std::uint64_t count, const std::string& text) {
        if (count != 0) out_.notes.push_back(text + ": " + std::to_string(count));
    }

    void add_notes() {
        const tables_head& head = *tables_.head;
        note(out_.dropped_events,
             "Allocations and frees that are in the totals but in no other row, dropped or not taken in");
        note(head.unknown_frees,
             "Frees of memory that a process had before it was observed, from before a fork for one");
        note(head.late_events,
             "Events taken in out of order, so that peaks are right within the stated bound only");
        std::uint64_t bypassed = 0;
        for (const process_record& process : tables_.processes) bypassed += process.own_operator_new != 0;
        note(bypassed,
             "Processes whose allocator has its own operator new, unseen here (run them without it)");
        note(head.contexts_lost,
             "Allocations whose stack found no room in the call tree and counts as unknown");
        note(head.untracked, "Allocations that could not be followed for want of memory");
        note(head.corrupt, "Places in the event rings that made no sense and were skipped");
        note(out_.processes_lost, "Processes that ran unobserved because there were too many at once");
        note(__atomic_load_n(&file_.header().source_reports_lost, __ATOMIC_RELAXED),
             "Reports of named memory that found no room and are in no row");
        if (head.lossy != 0)
            out_.notes.emplace_back(
                "The file system had no more room: a crash of allot would have lost part of the tables");
    }

    const tables_view& tables_;
    const segment_map& file_;
    snapshot out_;
    std::vector<counters_record> wire_sums_;       // by entry
    std::vector<std::int64_t> wire_unflushed_max_; // by entry
    std::vector<std::uint32_t> order_, place_;     // of processes: in order of start; by record
    std::vector<std::uint32_t> module_place_, site_place_;
};

} // namespace

snapshot build_snapshot(const tables_view& tables, const segment_map& file) {
    return builder(tables, file).build();
}

} // namespace allot::recorder
