// json: a snapshot as one JSON object, for programs.
//
// The names and their meaning are fixed once published (docs/numbers.md says what each number means). Bytes
// and counts are integers. Texts from outside are valid UTF-8: broken bytes become U+FFFD.
// Use it for anything that reads numbers; folded() for flame graphs. Owns nothing. Threads: one.
// Cost: streamed; naming every address of the contexts dominates.
//
//     allot::cli::write_json(shot, names, {.sort = allot::sort_by::peak}, out);
#pragma once

#include <cli/command_line.hpp>
#include <cli/render/output.hpp>

#include <allot/analysis/debug_info.hpp>
#include <allot/observability/snapshot.hpp>

namespace allot::cli {

void write_json(const snapshot& shot, debug_info& names, const report_options& options, output& out);

} // namespace allot::cli
