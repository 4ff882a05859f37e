#include <cli/render/text.hpp>

#include <cli/render/testing/capture.hpp>
#include <cli/render/testing/sample.hpp>
#include <cli/render/words.hpp>

#include <gtest/gtest.h>
#include <string>

namespace allot::cli {
namespace {

std::string report_of(const snapshot& shot, report_options options = {.file = "x.allot", .top = 20},
                      bool colour = false) {
    debug_info names(shot.modules);
    return testing::captured([&](output& out) { write_text(shot, names, options, out, colour); });
}

TEST(text, has_totals_table_and_tree) {
    const std::string text = report_of(testing::sample());
    for (const char* part :
         {"prog 'a b' '?[31m'", "exit code 3 after 1.50 s", "allocations",
          "2 sites by bytes held at the peak", "512.0 KiB  50.0 %", "prog+0x1200", "Call tree",
          "not observed: still (statically linked)", "2 programs in 2 processes, in order of their start"}) {
        EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
    }
}

TEST(text, fits_100_columns_and_holds_no_control_character_in_every_grouping_and_order) {
    snapshot shot = testing::sample();
    shot.modules[0].path = "/" + std::string(300, 'p');
    shot.processes[0].command.push_back(std::string(500, 'q'));
    shot.threads[0].name = "\x1b]0;title\x07";
    shot.named_sources[0].name = "\x1b" + std::string(300, 'n');
    shot.notes.push_back("a note of many words " + std::string(40, 'x') + " that must be wrapped " +
                         std::string(60, 'y'));
    for (const group_by by :
         {group_by::site, group_by::context, group_by::module, group_by::thread, group_by::process}) {
        for (const sort_by sort :
             {sort_by::peak, sort_by::live, sort_by::bytes, sort_by::count, sort_by::temporary}) {
            const std::string text = report_of(shot, {.file = "x", .by = by, .sort = sort, .top = 20});
            for (std::size_t start = 0; start < text.size();) {
                const std::size_t end = text.find('\n', start);
                ASSERT_NE(end, std::string::npos);
                const std::string line = text.substr(start, end - start);
                EXPECT_LE(width(line), 100u) << line;
                EXPECT_EQ(clean(line), line);
                start = end + 1;
            }
        }
    }
}

TEST(text, shows_named_memory_the_largest_first_where_there_is_any) {
    snapshot shot = testing::sample();
    shot.named_sources.push_back({.process = 1, .kind = "pool", .name = "lines", .peak_held_bytes = 1 << 20});
    const std::string text = report_of(shot);
    const std::size_t title = text.find("Named memory, by its own peak\n");
    const std::size_t pool = text.find("1.0 MiB        0 B           0  pool lines of 11 still\n");
    const std::size_t arena = text.find("64.0 KiB    4.0 KiB          12  arena request of 10 prog\n");
    EXPECT_NE(arena, std::string::npos) << text;
    EXPECT_TRUE(title < pool && pool < arena) << text;
    for (int i = 0; i != 20; ++i) shot.named_sources.push_back({.kind = "arena", .name = "small"});
    EXPECT_NE(report_of(shot).find("Named memory: the 20 largest of 22"), std::string::npos);
    shot.named_sources.clear();
    EXPECT_EQ(report_of(shot).find("Named memory"), std::string::npos);
}

TEST(text, says_how_many_rows_there_are_when_it_shows_fewer) {
    const std::string text = report_of(testing::sample(), {.file = "x", .top = 1});
    EXPECT_NE(text.find("Top 1 of 2 sites by bytes held at the peak"), std::string::npos) << text;
}

TEST(text, marks_stacks_that_are_not_whole) {
    const std::string text = report_of(testing::sample(), {.file = "x", .by = group_by::context, .top = 20});
    EXPECT_NE(text.find("3 call stacks by"), std::string::npos) << text;
    EXPECT_NE(text.find("(further callers are not known)"), std::string::npos) << text;
}

TEST(text, of_counts_shows_processes_where_there_are_no_stacks) {
    snapshot shot = testing::sample();
    shot.mode = recording_mode::count;
    shot.sites.clear();
    shot.contexts.clear();
    shot.modules.clear();
    const std::string text = report_of(shot);
    EXPECT_NE(text.find("Recorded with --count"), std::string::npos);
    EXPECT_NE(text.find("2 processes by bytes held at the peak"), std::string::npos) << text;
    EXPECT_EQ(text.find("Call tree"), std::string::npos);
    EXPECT_EQ(text.find("  temporary"), std::string::npos);
}

TEST(text, is_coloured_only_when_asked) {
    EXPECT_EQ(report_of(testing::sample()).find('\x1b'), std::string::npos);
    EXPECT_NE(report_of(testing::sample(), {.file = "x", .top = 20}, true).find("\x1b[1m"),
              std::string::npos);
}

TEST(text, of_an_empty_or_odd_snapshot_does_not_fail) {
    EXPECT_NE(report_of(snapshot()).find("allocations"), std::string::npos);
    snapshot odd = testing::sample();
    odd.processes[0].parent_pid = 11; // each the parent of the other
    odd.processes[1].parent_pid = 10;
    odd.threads[0].process = none;
    EXPECT_NE(report_of(odd).find("allocations"), std::string::npos);
}

} // namespace
} // namespace allot::cli
