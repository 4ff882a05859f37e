// build_snapshot: the collector's tables and the wire's counters, put into the form that everybody reads.
//
// Used by collector::finish and by recovery; it takes nothing in the tables on trust, since they may come out
// of a file that somebody's death left behind. Owns nothing. Threads: any. Cost: a pass over the tables.
//
//     snapshot all = build_snapshot(tables_view::of(tables), file);
//     all.totals.peak_live_bytes;
#pragma once

#include <allot/observability/snapshot.hpp>
#include <recorder/collector/segment.hpp>
#include <recorder/collector/tables.hpp>

namespace allot::recorder {

snapshot build_snapshot(const tables_view& tables, const segment_map& file);

} // namespace allot::recorder
