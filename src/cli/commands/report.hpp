// report: `allot report`: shows a recording on stdout.
//
// Use it from main only. Threads: one.
#pragma once

#include <cli/command_line.hpp>

namespace allot::cli {

int report_command(const report_options& options);

} // namespace allot::cli
