#include <cli/render/summary.hpp>

#include <cli/render/testing/sample.hpp>
#include <cli/render/words.hpp>

#include <gtest/gtest.h>
#include <string>

namespace allot::cli {
namespace {

std::string all_of(const std::vector<std::string>& lines) {
    std::string text;
    for (const std::string& line : lines) {
        text += line + "\n";
    }
    return text;
}

std::string summary_of(const snapshot& shot, const std::string& file = "a b.allot") {
    debug_info names(shot.modules);
    return all_of(summary_lines(shot, names, {.recording = file}));
}

TEST(summary, says_what_happened_in_plain_words) {
    EXPECT_EQ(summary_of(testing::sample()),
              "prog: exit code 3 after 1.50 s; 2 programs in 2 processes, added up\n"
              "100 allocations of 4.0 MiB in all, 5 of them reallocations\n"
              "peak heap 1.0 MiB (requested bytes); peak RSS 3.0 MiB of the largest process alone\n"
              "live at exit 4.0 KiB in 10 blocks; 40 temporary allocations (40.0 %)\n"
              "most of the peak was held by\n"
              "   512.0 KiB  50.0 %  prog+0x1200\n"
              "   512.0 KiB  50.0 %  lib?.so+0x3400\n"
              "not observed: still (statically linked)\n"
              "recorded; next: allot report 'a b.allot'\n");
}

TEST(summary, of_counts_names_its_basis_and_claims_nothing_that_was_not_measured) {
    snapshot shot = testing::sample();
    shot.mode = recording_mode::count;
    shot.basis = live_basis::usable;
    shot.sites.clear();
    shot.contexts.clear();
    const std::string text = summary_of(shot);
    EXPECT_NE(text.find("usable bytes"), std::string::npos);
    EXPECT_EQ(text.find("temporary"), std::string::npos);
    EXPECT_EQ(text.find("most of the peak"), std::string::npos);
}

TEST(summary, names_the_gap_to_the_resident_size_both_ways) {
    snapshot shot = testing::sample();
    shot.processes.resize(1);
    EXPECT_EQ(rss_text(shot), "peak RSS 3.0 MiB: 2.0 MiB of it is not heap");
    shot.peak_rss_bytes = 512 << 10;
    EXPECT_EQ(rss_text(shot), "peak RSS 512.0 KiB: 512.0 KiB of the heap is not in it");
    shot.peak_rss_bytes = 0;
    EXPECT_EQ(rss_text(shot), "peak RSS is not known");
}

TEST(summary, stays_within_15_lines_and_100_columns_whatever_went_wrong) {
    snapshot shot = testing::sample();
    shot.dropped_events = 1000;
    shot.dropped_stacks = 1;
    shot.short_stacks = 3;
    shot.folded_stacks = 4;
    shot.processes_lost = 2;
    for (int i = 0; i < 30; ++i) {
        shot.notes.push_back("note " + std::to_string(i) + std::string(300, 'x'));
        shot.processes.push_back(shot.processes[1]);
        shot.processes.back().reason = "reason " + std::to_string(i);
        shot.sites.push_back(shot.sites[0]);
    }
    shot.peak_rss_bytes = 999 << 20;
    shot.totals.peak_live_bytes = std::uint64_t{1} << 40;
    debug_info names(shot.modules);
    const std::vector<std::string> lines = summary_lines(shot, names, {.recording = "x.allot"});
    EXPECT_EQ(lines.size(), summary_lines_max);
    for (const std::string& line : lines) {
        EXPECT_LE(width("allot: " + line), 100u) << line;
        EXPECT_EQ(clean(line), line);
    }
    EXPECT_NE(all_of(lines).find("more gaps: the report names them"), std::string::npos);
    EXPECT_EQ(lines.back(), "recorded; next: allot report x.allot");
}

TEST(summary, fits_100_columns_with_the_largest_numbers) {
    snapshot shot = testing::sample();
    shot.processes.resize(1);
    shot.peak_rss_bytes = std::uint64_t{1022} << 30;
    shot.totals = {.allocations = 999'999'999,
                   .frees = 1,
                   .reallocations = 999'999'999,
                   .allocated_bytes = std::uint64_t{1022} << 40,
                   .live_blocks_at_exit = 999'999'999,
                   .live_bytes_at_exit = std::uint64_t{1022} << 30,
                   .peak_live_bytes = std::uint64_t{1023} << 30,
                   .temporary_allocations = 999'999'999};
    debug_info names(shot.modules);
    for (const std::string& line : summary_lines(shot, names, {.recording = "x.allot"})) {
        EXPECT_LE(width("allot: " + line), 100u) << line;
    }
}

TEST(summary, of_a_program_that_became_another_tells_the_end_of_that) {
    snapshot shot = testing::sample();
    shot.processes.push_back(shot.processes[0]);
    shot.processes[0].exit = {process_exit::kind::exec, 0};
    EXPECT_NE(summary_of(shot).find("prog: exit code 3 after 1.50 s; 3 programs in 2 processes, added up"),
              std::string::npos)
        << summary_of(shot);
}

TEST(summary, of_an_empty_snapshot_is_short) {
    const std::string text = summary_of(snapshot(), "");
    EXPECT_NE(text.find("0 allocations of 0 B in all"), std::string::npos);
    EXPECT_NE(text.find("nothing live at exit"), std::string::npos);
}

} // namespace
} // namespace allot::cli
