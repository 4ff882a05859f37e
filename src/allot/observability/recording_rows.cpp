#include <allot/observability/recording_rows.hpp>

#include <algorithm>
#include <array>
#include <utility>

namespace allot::detail {
namespace {

constexpr std::array heap_columns = {
    &heap_totals::allocations,         &heap_totals::frees,
    &heap_totals::reallocations,       &heap_totals::allocated_bytes,
    &heap_totals::live_blocks_at_exit, &heap_totals::live_bytes_at_exit,
    &heap_totals::peak_live_bytes,     &heap_totals::temporary_allocations,
};

constexpr std::array row_columns = {
    &row_numbers::allocations,           &row_numbers::allocated_bytes, &row_numbers::live_blocks_at_exit,
    &row_numbers::live_bytes_at_exit,    &row_numbers::peak_live_bytes, &row_numbers::live_bytes_at_peak,
    &row_numbers::temporary_allocations,
};

// `count` rows follow; the reader makes room for them. The bytes that each row has at least are its numbers.
template <class Row>
void rows(packed_writer& packed, const std::vector<Row>& table, std::size_t) {
    packed(table.size());
}
template <class Row>
void rows(packed_reader& packed, std::vector<Row>& table, std::size_t bytes_each) {
    table.resize(packed.rows(bytes_each));
}

template <class Enumeration>
void choice(packed_writer& packed, const Enumeration& value, Enumeration, Enumeration) {
    packed(value);
}
template <class Enumeration>
void choice(packed_reader& packed, Enumeration& value, Enumeration first, Enumeration last) {
    packed(value, first, last);
}

// `none` in one byte: it becomes 1, index i becomes i + 2.
void index(packed_writer& packed, const std::uint32_t& value) {
    packed(static_cast<std::uint32_t>(value + 2));
}
void index(packed_reader& packed, std::uint32_t& value) {
    packed(value);
    value -= 2;
}

// A parent stands before its child, most often close to it: 0 is cut, 1 the root, else the distance,
// which is at least 1, plus 1.
void parent(packed_writer& packed, const context_node& node, std::uint32_t self) {
    const bool mark = node.parent == context_node::root || node.parent == context_node::cut;
    packed(mark ? node.parent + 2 : self - node.parent + 1);
}
void parent(packed_reader& packed, context_node& node, std::uint32_t self) {
    std::uint32_t distance = 0;
    packed(distance);
    if (distance > std::uint64_t{self} + 1) packed.fail("a parent stands before the table");
    node.parent = distance < 2 ? distance - 2 : self - (distance - 1);
}

// Columns one after another: like stands beside like, and compresses better than whole rows do.
template <class Packed, class Table>
void numbers(Packed& packed, Table& table) {
    for (const auto column : row_columns)
        for (auto& row : table) packed(row.numbers.*column);
}

template <class Packed, class Table>
void addresses(Packed& packed, Table& table) {
    for (auto& row : table) index(packed, row.address.module);
    for (auto& row : table) packed(row.address.offset);
}

template <class Packed, class Totals>
void heap(Packed& packed, Totals& totals) {
    for (const auto column : heap_columns) packed(totals.*column);
}

template <class Packed, class Snapshot>
void summary(Packed& packed, Snapshot& all) {
    choice(packed, all.mode, recording_mode::count, recording_mode::full);
    choice(packed, all.basis, live_basis::requested, live_basis::usable);
    packed(all.partial);
    packed(all.started_realtime_ns);
    packed(all.duration_ns);
    packed(all.peak_rss_bytes);
    heap(packed, all.totals);
    packed(all.dropped_stacks);
    packed(all.dropped_events);
    packed(all.short_stacks);
    packed(all.folded_stacks);
    packed(all.processes_lost);
    packed(all.error_bound_bytes);
}

template <class Packed, class Table>
void modules(Packed& packed, Table& table) {
    rows(packed, table, 2 + row_columns.size());
    for (auto& row : table) {
        packed(row.path);
        packed(row.build_id);
    }
    numbers(packed, table);
}

template <class Packed, class Table>
void contexts(Packed& packed, Table& table) {
    rows(packed, table, 4 + row_columns.size());
    std::uint32_t self = 0;
    for (auto& row : table) parent(packed, row, self++);
    for (auto& row : table) index(packed, row.site);
    addresses(packed, table);
    numbers(packed, table);
}

template <class Packed, class Table>
void sites(Packed& packed, Table& table) {
    rows(packed, table, 2 + row_columns.size());
    addresses(packed, table);
    numbers(packed, table);
}

template <class Packed, class Table>
void processes(Packed& packed, Table& table) {
    rows(packed, table, 9 + heap_columns.size());
    for (auto& row : table) {
        packed(row.pid);
        packed(row.parent_pid);
        packed(row.command);
        packed(row.executable);
        choice(packed, row.exit.how, process_exit::kind::unknown, process_exit::kind::running);
        packed(row.exit.value);
        packed(row.observed);
        packed(row.reason);
        heap(packed, row.totals);
        packed(row.live_bytes_at_peak);
    }
}

template <class Packed, class Table>
void threads(Packed& packed, Table& table) {
    rows(packed, table, 4 + heap_columns.size());
    for (auto& row : table) {
        packed(row.process);
        packed(row.tid);
        packed(row.name);
        heap(packed, row.totals);
        packed(row.live_bytes_at_peak);
    }
}

template <class Packed, class Table>
void named_sources(Packed& packed, Table& table) {
    rows(packed, table, 7);
    for (auto& row : table) {
        packed(row.process);
        packed(row.kind);
        packed(row.name);
        packed(row.held_bytes);
        packed(row.peak_held_bytes);
        packed(row.held_count);
        packed(row.source_count);
    }
}

template <class Packed, class Snapshot>
void section(Packed& packed, section_kind kind, Snapshot& all) {
    switch (kind) {
    case section_kind::summary: return summary(packed, all);
    case section_kind::modules: return modules(packed, all.modules);
    case section_kind::contexts: return contexts(packed, all.contexts);
    case section_kind::sites: return sites(packed, all.sites);
    case section_kind::processes: return processes(packed, all.processes);
    case section_kind::threads: return threads(packed, all.threads);
    case section_kind::notes: return packed(all.notes);
    case section_kind::named_sources: return named_sources(packed, all.named_sources);
    }
}

std::string row_says(std::size_t row, const char* what) { return "row " + std::to_string(row) + " " + what; }

const char* wrong_context(const snapshot& all, std::size_t row) {
    const auto& node = all.contexts[row];
    if (node.parent < context_node::cut && node.parent >= row) return "stands before its parent";
    if (node.site != none && node.site >= all.sites.size()) return "names a site that is not there";
    if (node.address.module != none && node.address.module >= all.modules.size())
        return "names a module that is not there";
    return nullptr;
}

constexpr std::uint32_t lost_modules_max = 1 << 16; // more than any process maps

// Answers how many rows the table of modules must have for every reference to hold. References that no table
// could hold lose their address.
std::size_t modules_named(snapshot& all) {
    std::size_t named = 0;
    const auto see = [&](code_address& address) {
        if (address.module == none || address.module < all.modules.size()) return;
        if (address.module >= lost_modules_max)
            address = {none, 0};
        else
            named = std::max(named, std::size_t{address.module} + 1);
    };
    for (auto& row : all.contexts) see(row.address);
    for (auto& row : all.sites) see(row.address);
    return named;
}

} // namespace

const char* section_name(section_kind kind) noexcept {
    switch (kind) {
    case section_kind::summary: return "summary";
    case section_kind::modules: return "modules";
    case section_kind::contexts: return "contexts";
    case section_kind::sites: return "sites";
    case section_kind::processes: return "processes";
    case section_kind::threads: return "threads";
    case section_kind::notes: return "notes";
    case section_kind::named_sources: return "named sources";
    }
    return "unknown";
}

void write_section(packed_writer& to, section_kind kind, const snapshot& from) { section(to, kind, from); }

void read_section(packed_reader& from, section_kind kind, snapshot& to) {
    section(from, kind, to);
    if (from.ok() && from.left() != 0) from.fail("there are bytes behind its last row");
}

void drop_section(section_kind kind, snapshot& all) {
    switch (kind) {
    case section_kind::summary: {
        snapshot fresh;
        fresh.modules = std::move(all.modules);
        fresh.contexts = std::move(all.contexts);
        fresh.sites = std::move(all.sites);
        fresh.processes = std::move(all.processes);
        fresh.threads = std::move(all.threads);
        fresh.notes = std::move(all.notes);
        fresh.named_sources = std::move(all.named_sources);
        all = std::move(fresh);
        return;
    }
    case section_kind::modules: return all.modules.clear();
    case section_kind::contexts: return all.contexts.clear();
    case section_kind::sites: return all.sites.clear();
    case section_kind::processes: return all.processes.clear();
    case section_kind::threads: return all.threads.clear();
    case section_kind::notes: return all.notes.clear();
    case section_kind::named_sources: return all.named_sources.clear();
    }
}

std::optional<contradiction> first_contradiction(const snapshot& all) {
    for (std::size_t row = 0; row < all.contexts.size(); ++row)
        if (const char* what = wrong_context(all, row))
            return contradiction{section_kind::contexts, row_says(row, what)};
    for (std::size_t row = 0; row < all.sites.size(); ++row) {
        const auto module = all.sites[row].address.module;
        if (module != none && module >= all.modules.size())
            return contradiction{section_kind::sites, row_says(row, "names a module that is not there")};
    }
    for (std::size_t row = 0; row < all.threads.size(); ++row)
        if (all.threads[row].process >= all.processes.size())
            return contradiction{section_kind::threads, row_says(row, "names a process that is not there")};
    for (std::size_t row = 0; row < all.named_sources.size(); ++row)
        if (all.named_sources[row].process >= all.processes.size())
            return contradiction{section_kind::named_sources,
                                 row_says(row, "names a process that is not there")};
    return std::nullopt;
}

std::vector<std::string> repair_references(snapshot& all) {
    std::vector<std::string> said;
    // An offset without its module would read as a raw address: lost modules stay as rows without a name.
    if (const std::size_t named = modules_named(all); named > all.modules.size()) {
        said.push_back("the names of " + std::to_string(named - all.modules.size()) + " modules are lost");
        all.modules.resize(named);
    }
    std::size_t lost = 0;
    for (auto& node : all.contexts) {
        if (node.site == none || node.site < all.sites.size()) continue;
        node.site = none;
        ++lost;
    }
    if (lost != 0) said.push_back("the sites of " + std::to_string(lost) + " contexts are lost");
    lost = std::erase_if(all.threads,
                         [&](const thread_row& row) { return row.process >= all.processes.size(); });
    if (lost != 0)
        said.push_back("the processes of " + std::to_string(lost) + " threads are lost, so are their rows");
    lost = std::erase_if(all.named_sources,
                         [&](const named_source_row& row) { return row.process >= all.processes.size(); });
    if (lost != 0)
        said.push_back("the processes of " + std::to_string(lost) +
                       " named sources are lost, so are their rows");
    return said;
}

} // namespace allot::detail
