// places: the sites of a snapshot as people read them: sites with the same function, file and line are one
// row.
//
// A function that the compiler copied into several callers has as many sites; in a table they would look like
// repetitions. Use it for texts; machines get every site (analysis/tables).
// The own peak of a merged row is not known, only its share of the total's peak; so peak_live_bytes is that
// share. Owns its rows, borrows names from debug_info. Threads: as debug_info. Cost: naming `looked_at`
// sites.
//
//     for (const auto& row : allot::cli::make_place_table(shot, names, allot::sort_by::peak, 20))
//         show(*row.source, row.numbers);
#pragma once

#include <allot/analysis/debug_info.hpp>
#include <allot/analysis/tables.hpp>
#include <allot/observability/snapshot.hpp>

#include <cstddef>
#include <vector>

namespace allot::cli {

struct place_row {
    code_address address; // of the first site in it
    const source_frame* source = nullptr;
    row_numbers numbers;
};

// Largest first. `looked_at` bounds how many of the largest sites are named and merged; `all_count`, where
// given, takes the number of rows before `top`.
std::vector<place_row> make_place_table(const snapshot& shot, debug_info& names, sort_by order,
                                        std::size_t top, std::size_t looked_at = all_rows,
                                        std::size_t* all_count = nullptr);

} // namespace allot::cli
