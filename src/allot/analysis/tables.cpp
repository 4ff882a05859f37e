#include <allot/analysis/tables.hpp>

#include <algorithm>
#include <tuple>

namespace allot {
namespace {

row_numbers as_row(const heap_totals& totals, std::uint64_t live_bytes_at_peak) {
    return {.allocations = totals.allocations,
            .allocated_bytes = totals.allocated_bytes,
            .live_blocks_at_exit = totals.live_blocks_at_exit,
            .live_bytes_at_exit = totals.live_bytes_at_exit,
            .peak_live_bytes = totals.peak_live_bytes,
            .live_bytes_at_peak = live_bytes_at_peak,
            .temporary_allocations = totals.temporary_allocations};
}

template <class Rows, class Numbers>
std::vector<table_row> all_of(const Rows& rows, Numbers&& numbers) {
    std::vector<table_row> made;
    made.reserve(rows.size());
    for (std::uint32_t i = 0; i < rows.size(); ++i) made.push_back({i, numbers(rows[i])});
    return made;
}

std::vector<table_row> rows_of(const snapshot& shot, group_by group) {
    const auto own = [](const auto& row) { return row.numbers; };
    const auto totals = [](const auto& row) { return as_row(row.totals, row.live_bytes_at_peak); };
    switch (group) {
    case group_by::site: return all_of(shot.sites, own);
    case group_by::module: return all_of(shot.modules, own);
    case group_by::thread: return all_of(shot.threads, totals);
    case group_by::process: return all_of(shot.processes, totals);
    case group_by::context: break;
    }
    std::vector<table_row> made = all_of(shot.contexts, own);
    std::erase_if(made, [](const table_row& row) { return row.numbers.allocations == 0; });
    return made;
}

} // namespace

std::uint64_t sort_value(const row_numbers& numbers, sort_by order) noexcept {
    switch (order) {
    case sort_by::peak: return numbers.live_bytes_at_peak;
    case sort_by::live: return numbers.live_bytes_at_exit;
    case sort_by::bytes: return numbers.allocated_bytes;
    case sort_by::count: return numbers.allocations;
    case sort_by::temporary: break;
    }
    return numbers.temporary_allocations;
}

std::uint64_t sort_total(const snapshot& shot, sort_by order) noexcept {
    return sort_value(as_row(shot.totals, shot.totals.peak_live_bytes), order);
}

std::vector<table_row> make_table(const snapshot& shot, group_by group, sort_by order, std::size_t top) {
    std::vector<table_row> rows = rows_of(shot, group);
    const auto rank = [order](const table_row& row) {
        const row_numbers& n = row.numbers;
        return std::tuple(sort_value(n, order), n.live_bytes_at_peak, n.peak_live_bytes, n.allocated_bytes,
                          n.allocations);
    };
    const auto before = [&](const table_row& a, const table_row& b) {
        const auto left = rank(a);
        const auto right = rank(b);
        return left != right ? left > right : a.index < b.index;
    };
    const std::size_t kept = std::min(top, rows.size());
    std::partial_sort(rows.begin(), rows.begin() + static_cast<std::ptrdiff_t>(kept), rows.end(), before);
    rows.resize(kept);
    return rows;
}

} // namespace allot
