// tables: the rows of a snapshot, ranked.
//
// Use it for every "top" list, so that all of them rank alike. For stacks and trees see contexts.
// Owns nothing: rows are indices into the snapshot's own tables.
// Threads: safe.
// Cost: O(n log top), about 50 ns a row.
//
//     for (const allot::table_row& row : allot::make_table(shot, allot::group_by::site, allot::sort_by::peak,
//     10))
//         show(shot.sites[row.index], row.numbers);
#pragma once

#include <allot/observability/snapshot.hpp>

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace allot {

enum class group_by : std::uint8_t { site, context, module, thread, process };

// What rows are ranked by, and what trees and folded lines add up. All of them add up over a table.
enum class sort_by : std::uint8_t {
    peak,  // live_bytes_at_peak: the row's share of the total's peak (not its own maximum, which adds up to
           // nothing)
    live,  // live_bytes_at_exit
    bytes, // allocated_bytes
    count, // allocations
    temporary // temporary_allocations
};

// `index` is into the snapshot's sites, contexts, modules, threads or processes, by group.
struct table_row {
    std::uint32_t index = 0;
    row_numbers numbers;
    friend bool operator==(const table_row&, const table_row&) = default;
};

inline constexpr std::size_t all_rows = static_cast<std::size_t>(-1);

// Largest first. Equal rows are ranked by live_bytes_at_peak, peak_live_bytes, allocated_bytes, allocations
// and then by their place in the snapshot, so that one snapshot always gives one order. Contexts are the
// nodes with allocations; rows of other groups that did nothing stay in. Threads and processes are there in
// both modes, the others in full.
std::vector<table_row> make_table(const snapshot& shot, group_by group, sort_by order,
                                  std::size_t top = all_rows);

// The number that `order` ranks by.
std::uint64_t sort_value(const row_numbers& numbers, sort_by order) noexcept;

// The same of the whole snapshot (0 for temporaries etc. that the mode does not count).
std::uint64_t sort_total(const snapshot& shot, sort_by order) noexcept;

} // namespace allot
