// text: a snapshot as pages for people: totals, processes, the top table, the call tree. At most 100 columns.
//
// Use it for terminals and pipes; nothing should parse it (json is for that).
// Owns nothing. Threads: one. Cost: the names of what is shown; the tree names every node.
//
//     allot::cli::write_text(shot, names, {.file = "ls.allot", .top = 20}, out, false);
#pragma once

#include <cli/command_line.hpp>
#include <cli/render/output.hpp>

#include <allot/analysis/debug_info.hpp>
#include <allot/observability/snapshot.hpp>

namespace allot::cli {

void write_text(const snapshot& shot, debug_info& names, const report_options& options, output& out,
                bool colour);

} // namespace allot::cli
