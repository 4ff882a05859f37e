// on_finding: what a test double does about a bug that it has found.
//
// `fatal`, the default, ends the program at the spot with one line `allot: fatal: …`: a debugger then shows
// who did it, and no test can overlook it. `collect` counts and goes on, for tests that expect the bug.
// Threads: a value.
#pragma once

#include <cstdint>

namespace allot {

enum class on_finding : std::uint8_t { fatal, collect };

} // namespace allot
