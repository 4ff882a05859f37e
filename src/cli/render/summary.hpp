// summary: what `allot run` says when the program has ended: at most 15 lines in plain words.
//
// Use it for a first look; everything else is in the report. Owns what it returns. Threads: one.
// Cost: naming five sites, which reads debug information of the modules that they are in.
//
//     for (const std::string& line : summary_lines(shot, names, {.recording = "allot.ls.4711.allot"})) {
//         fmt::print(stderr, "allot: {}\n", line);
//     }
#pragma once

#include <allot/analysis/debug_info.hpp>
#include <allot/observability/snapshot.hpp>

#include <string>
#include <vector>

namespace allot::cli {

struct summary_options {
    std::string recording; // the file's name; empty: none was written
};

inline constexpr std::size_t summary_lines_max = 15;

std::vector<std::string> summary_lines(const snapshot& shot, debug_info& names,
                                       const summary_options& options);

// What is not in the numbers, one sentence each; empty where everything is.
std::vector<std::string> gaps_of(const snapshot& shot);

// The peak heap beside the peak RSS, and what lies between, as one phrase.
std::string rss_text(const snapshot& shot);

} // namespace allot::cli
