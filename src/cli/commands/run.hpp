// run: `allot run`: runs a program, observes it, says what its heap did, keeps the recording.
//
// Use it from main only: it ends the process as the program ended. Threads: the process must have one.
#pragma once

#include <cli/command_line.hpp>

namespace allot::cli {

// Returns an exit code where the program did not run; otherwise ends like the program.
int run_command(const run_options& options);

} // namespace allot::cli
