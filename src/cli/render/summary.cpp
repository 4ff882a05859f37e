#include <cli/render/summary.hpp>

#include <cli/render/names.hpp>
#include <cli/render/numbers.hpp>
#include <cli/render/places.hpp>
#include <cli/render/words.hpp>

#include <allot/analysis/tables.hpp>

#include <algorithm>
#include <fmt/format.h>
#include <utility>

namespace allot::cli {
namespace {

constexpr std::size_t columns_max = 93; // 100 with "allot: "
constexpr std::size_t sites_shown = 5;

// The programs that ran unobserved, by reason: one sentence for each reason.
void add_unobserved(const snapshot& shot, std::vector<std::string>& gaps) {
    std::vector<std::pair<std::string, std::vector<std::string>>> reasons;
    for (const process_row& process : shot.processes) {
        if (process.observed) {
            continue;
        }
        const std::string reason =
            process.reason.empty() ? "unobserved, for a reason not known" : clean(process.reason);
        auto known =
            std::find_if(reasons.begin(), reasons.end(), [&](const auto& r) { return r.first == reason; });
        if (known == reasons.end()) {
            known = reasons.insert(reasons.end(), {reason, {}});
        }
        known->second.push_back(program_name(process));
    }
    for (const auto& [reason, programs] : reasons) {
        gaps.push_back(programs.size() == 1
                           ? fmt::format("not observed: {} ({})", programs.front(), reason)
                           : fmt::format("not observed: {} and {} ({})", programs.front(),
                                         counted(programs.size() - 1, "other process", "other processes"),
                                         reason));
    }
}

void add_sites(const snapshot& shot, debug_info& names, std::vector<std::string>& lines) {
    if (shot.sites.empty() || shot.totals.peak_live_bytes == 0) {
        return;
    }
    lines.push_back("most of the peak was held by");
    // Some rows more than are shown: places that read alike become one.
    for (const place_row& row : make_place_table(shot, names, sort_by::peak, sites_shown, 16 * sites_shown)) {
        if (row.numbers.live_bytes_at_peak < shot.totals.peak_live_bytes / 1000) {
            break; // the rest is dust
        }
        const std::string numbers =
            fmt::format("  {} {}  ", right(bytes_text(row.numbers.live_bytes_at_peak), 10),
                        right(share_text(row.numbers.live_bytes_at_peak, shot.totals.peak_live_bytes), 7));
        lines.push_back(numbers + place_text(shot, *row.source, row.address, columns_max - width(numbers)));
    }
}

} // namespace

std::string rss_text(const snapshot& shot) {
    const std::uint64_t heap = shot.totals.peak_live_bytes;
    const std::uint64_t resident = shot.peak_rss_bytes;
    if (resident == 0) {
        return "peak RSS is not known";
    }
    const std::string rss = "peak RSS " + bytes_text(resident);
    const bool several = shot.processes.size() > 1;
    if (several) {
        return rss + " of the largest process alone";
    }
    if (heap > resident) {
        return fmt::format("{}: {} of the heap is not in it", rss, bytes_text(heap - resident));
    }
    return fmt::format("{}: {} of it is not heap", rss, bytes_text(resident - heap));
}

std::vector<std::string> gaps_of(const snapshot& shot) {
    std::vector<std::string> gaps;
    add_unobserved(shot, gaps);
    if (shot.processes_lost > 0) {
        gaps.push_back(fmt::format("not observed: {} for want of room",
                                   counted(shot.processes_lost, "more process", "more processes")));
    }
    if (shot.dropped_events > 0) {
        gaps.push_back(
            fmt::format("dropped: {} counted in the totals only",
                        counted(shot.dropped_events, "allocation or free is", "allocations and frees are")));
    }
    if (shot.dropped_stacks > 0) {
        gaps.push_back(fmt::format("dropped: the call stacks of {}",
                                   counted(shot.dropped_stacks, "allocation", "allocations")));
    }
    if (shot.short_stacks > 0) {
        gaps.push_back(fmt::format("{} a call stack that does not reach the thread's start",
                                   counted(shot.short_stacks, "allocation has", "allocations have")));
    }
    if (shot.folded_stacks > 0) {
        gaps.push_back(fmt::format("{} shortened where functions call themselves",
                                   counted(shot.folded_stacks, "call stack was", "call stacks were")));
    }
    for (const std::string& note : shot.notes) {
        gaps.push_back(clean(note));
    }
    return gaps;
}

std::vector<std::string> summary_lines(const snapshot& shot, debug_info& names,
                                       const summary_options& options) {
    const heap_totals& totals = shot.totals;
    std::vector<std::string> lines;
    if (!shot.processes.empty()) {
        lines.push_back(
            fmt::format("{}: {} after {}{}", program_name(shot.processes.front()),
                        exit_text(end_of_program(shot)), time_text(shot.duration_ns),
                        shot.processes.size() == 1
                            ? std::string()
                            : fmt::format("; {} programs in {}, added up", count_text(shot.processes.size()),
                                          counted(process_count(shot), "process", "processes"))));
    }
    lines.push_back(
        fmt::format("{} of {} in all, {}", counted(totals.allocations, "allocation", "allocations"),
                    bytes_text(totals.allocated_bytes),
                    counted(totals.reallocations, "of them a reallocation", "of them reallocations")));
    lines.push_back(fmt::format("peak heap {} ({} bytes); {}", bytes_text(totals.peak_live_bytes),
                                shot.basis == live_basis::requested ? "requested" : "usable",
                                rss_text(shot)));
    std::string live = totals.live_bytes_at_exit == 0 && totals.live_blocks_at_exit == 0
                           ? std::string("nothing live at exit")
                           : fmt::format("live at exit {} in {}", bytes_text(totals.live_bytes_at_exit),
                                         counted(totals.live_blocks_at_exit, "block", "blocks"));
    if (shot.mode == recording_mode::full) {
        live += fmt::format(
            "; {} ({})",
            counted(totals.temporary_allocations, "temporary allocation", "temporary allocations"),
            share_text(totals.temporary_allocations, totals.allocations));
    }
    lines.push_back(std::move(live));
    add_sites(shot, names, lines);

    const std::size_t last_lines = options.recording.empty() ? 0 : 1;
    const std::vector<std::string> gaps = gaps_of(shot);
    const std::size_t room = summary_lines_max - lines.size() - last_lines;
    for (std::size_t i = 0; i < gaps.size(); ++i) {
        if (i + 1 == room && gaps.size() > room) {
            lines.push_back(fmt::format("and {}: the report names them",
                                        counted(gaps.size() - i, "more gap", "more gaps")));
            break;
        }
        lines.push_back(fit(gaps[i], columns_max));
    }
    if (!options.recording.empty()) {
        lines.push_back("recorded; next: allot report " + shell_word(options.recording));
    }
    return lines;
}

} // namespace allot::cli
