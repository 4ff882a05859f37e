// tree: the call tree as text, from the outermost function inwards.
//
// A chain of functions that each only call the next stands on one indentation, so that deep stacks stay
// readable. Owns nothing. Threads: one. Cost: that of make_call_tree.
//
//     allot::cli::write_call_tree(shot, names, options, out, false);
#pragma once

#include <cli/command_line.hpp>
#include <cli/render/output.hpp>

#include <allot/analysis/debug_info.hpp>
#include <allot/observability/snapshot.hpp>

namespace allot::cli {

void write_call_tree(const snapshot& shot, debug_info& names, const report_options& options, output& out,
                     bool colour);

} // namespace allot::cli
