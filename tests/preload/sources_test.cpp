// What programs report of their sources, through allot/core/client.h, and what stands in the segment then.

#include "harness.hpp"

#include <csignal>
#include <gtest/gtest.h>

namespace allot::test {
namespace {

std::vector<allot_wire_source> sources(test_segment& segment, std::uint64_t serial = 1) {
    std::vector<allot_wire_source> found;
    for (std::uint32_t i = 0; i != segment.header().source_count; ++i)
        if (segment.source(i).state == ALLOT_LIVE && segment.source(i).process_serial == serial)
            found.push_back(segment.source(i));
    return found;
}

class preload_sources : public testing::TestWithParam<std::uint32_t> {
protected:
    test_segment segment_{{.mode = GetParam()}};
    outcome ended_by(const char* scenario) {
        return run(segment_, {scenario}, {.program = ALLOT_TEST_SOURCES});
    }
};

TEST_P(preload_sources, of_one_name_add_up_to_one_entry_with_the_peak_of_their_sum) {
    EXPECT_TRUE(ended_by("grow").exited_with(0));
    const auto all = sources(segment_);
    ASSERT_EQ(all.size(), 2u);
    EXPECT_STREQ(all[0].kind, "arena");
    EXPECT_STREQ(all[0].name, "request");
    EXPECT_EQ(all[0].held_bytes, 3020u);
    EXPECT_EQ(all[0].peak_held_bytes, 3500u);
    EXPECT_EQ(all[0].held_count, 3u);
    EXPECT_EQ(all[0].source_count, 2u);
    EXPECT_STREQ(all[1].name, "session");
    EXPECT_EQ(all[1].peak_held_bytes, 64u);
    EXPECT_EQ(segment_.only_process().entry.source_entries, 2u);
    EXPECT_EQ(segment_.header().source_reports_lost, 0u);
}

TEST_P(preload_sources, of_a_forked_child_are_its_own) {
    EXPECT_TRUE(ended_by("fork").exited_with(0));
    const auto parents = sources(segment_, 1), childs = sources(segment_, 2);
    ASSERT_EQ(parents.size(), 1u);
    ASSERT_EQ(childs.size(), 1u);
    EXPECT_EQ(parents[0].held_bytes, 1000u);
    EXPECT_EQ(parents[0].source_count, 1u);
    EXPECT_EQ(childs[0].held_bytes, 47u);
    EXPECT_EQ(childs[0].source_count, 2u);
    EXPECT_NE(childs[0].process, parents[0].process);
}

TEST_P(preload_sources, that_find_no_room_are_counted_and_disturb_nobody) {
    EXPECT_TRUE(ended_by("overflow").exited_with(0));
    EXPECT_EQ(sources(segment_).size(), 8u); // of 20: the harness's segment has no more entries
    EXPECT_EQ(segment_.header().source_reports_lost, 12u);
}

TEST_P(preload_sources, outlive_a_kill) {
    EXPECT_TRUE(ended_by("kill").killed_by(SIGKILL));
    ASSERT_EQ(sources(segment_).size(), 1u);
    EXPECT_EQ(sources(segment_)[0].held_bytes, 1000u);
}

TEST_P(preload_sources, may_be_reported_by_a_handler_in_the_middle_of_a_report) {
    EXPECT_TRUE(ended_by("interrupted").exited_with(0));
    for (const allot_wire_source& one : sources(segment_)) EXPECT_LE(one.held_bytes, 5u) << one.name;
}

INSTANTIATE_TEST_SUITE_P(modes, preload_sources, testing::Values(ALLOT_MODE_COUNT, ALLOT_MODE_FULL),
                         [](const auto& i) { return i.param == ALLOT_MODE_FULL ? "full" : "count"; });

} // namespace
} // namespace allot::test
