// usage_sum: adds up the numbers of several structures.
//
// Inner part of what has several arenas. The peaks become the sum of each one's own, which is never less than
// the sum's own peak; limits stay as they are.
// Threads: values.
//
//     usage sum;
//     for (const arena& each : arenas) detail::add_usage(sum, each.describe().usage);
#pragma once

#include <allot/core/usage.hpp>

namespace allot::detail {

constexpr void add_usage(usage& sum, const usage& more) noexcept {
    sum.live_bytes += more.live_bytes;
    sum.live_count += more.live_count;
    sum.peak_live_bytes += more.peak_live_bytes;
    sum.total_bytes += more.total_bytes;
    sum.total_count += more.total_count;
    sum.refused_count += more.refused_count;
    sum.held_bytes += more.held_bytes;
    sum.peak_held_bytes += more.peak_held_bytes;
    sum.held_count += more.held_count;
    sum.slack_bytes += more.slack_bytes;
    sum.free_bytes += more.free_bytes;
    sum.behind_bytes_max += more.behind_bytes_max;
}

} // namespace allot::detail
