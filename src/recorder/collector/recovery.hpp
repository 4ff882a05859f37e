// recovery: a snapshot from a segment whose collector died, or is still at work.
//
// Use it for FILE.partial; a finished recording is read by observability/recording. Totals come from the
// processes' own counters (each thread at most one call off), contexts, sites, peaks and live bytes are as of
// the collector's last look; calls that it had not taken in are counted in dropped_events. `partial` is set,
// a note says all this. Reads only, takes nothing on trust: any bytes give an error or a snapshot.
// Owns nothing. Threads: any. Cost: one pass over the tables in the file.
//
//     result<snapshot> found = recover("allot.sqlite3.4711.allot.partial");
//     if (!found) return found.error();
//     found->partial; // true
#pragma once

#include <allot/core/result.hpp>
#include <allot/observability/snapshot.hpp>
#include <string>

namespace allot::recorder {

result<snapshot> recover(const std::string& path);

// Whether the file begins as a segment does, for choosing between recover() and reading a recording.
bool is_segment(const std::string& path);

} // namespace allot::recorder
