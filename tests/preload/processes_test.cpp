// Processes that fork, clone, spawn, exec and die in every way: each is known, and counted exactly.

#include "harness.hpp"

#include <csignal>
#include <gtest/gtest.h>

namespace allot::test {
namespace {

class processes : public testing::TestWithParam<std::uint32_t> {
protected:
    segment_shape shape() const { return {.mode = GetParam(), .rings = 64}; }
    // What the first process of a run did beyond a subject that does nothing.
    allot_wire_counters beyond_nothing(const seen_process& p) const {
        test_segment idle(shape());
        run(idle, {"nothing"});
        allot_wire_counters added = p.counters;
        const allot_wire_counters idle_counters = idle.only_process().counters;
        added.allocations -= idle_counters.allocations;
        added.frees -= idle_counters.frees;
        added.allocated_bytes -= idle_counters.allocated_bytes;
        return added;
    }
};

void expect_counters(const allot_wire_counters& of, std::uint64_t allocations, std::uint64_t frees,
                     std::uint64_t bytes) {
    EXPECT_EQ(of.allocations, allocations);
    EXPECT_EQ(of.frees, frees);
    EXPECT_EQ(of.allocated_bytes, bytes);
    EXPECT_EQ(of.dropped_events, 0u);
}

TEST_P(processes, follow_a_fork_and_count_the_child_from_there) {
    test_segment segment(shape());
    const outcome ended = run(segment, {"fork"});
    EXPECT_TRUE(ended.exited_with(0)) << ended.out;
    const auto all = segment.processes();
    ASSERT_EQ(all.size(), 2u);
    expect_counters(beyond_nothing(all[0]), 13, 13, 1300);
    expect_counters(all[1].counters, 5, 0, 35);
    EXPECT_EQ(all[1].entry.forked, 1u);
    EXPECT_EQ(all[1].entry.parent_pid, ended.pid);
    EXPECT_NE(all[1].entry.pid, ended.pid);
    EXPECT_EQ(all[1].entry.exit_code, 7);
    EXPECT_EQ(all[1].command, all[0].command);
    EXPECT_EQ(all[1].executable, all[0].executable);
}

TEST_P(processes, count_a_child_that_only_frees) {
    test_segment segment(shape());
    EXPECT_TRUE(run(segment, {"fork-free"}).exited_with(0));
    const auto all = segment.processes();
    ASSERT_EQ(all.size(), 2u);
    expect_counters(beyond_nothing(all[0]), 3, 3, 300);
    expect_counters(all[1].counters, 0, 3, 0);
}

TEST_P(processes, follow_a_child_that_the_c_library_does_not_know_of) {
    test_segment segment(shape());
    EXPECT_TRUE(run(segment, {"clone"}).exited_with(0));
    const auto all = segment.processes();
    ASSERT_EQ(all.size(), 2u);
    expect_counters(beyond_nothing(all[0]), 10, 10, 1000);
    expect_counters(all[1].counters, 5, 0, 35);
    EXPECT_EQ(all[1].entry.forked, 1u);
}

TEST_P(processes, follow_forks_of_forks) {
    test_segment segment(shape());
    EXPECT_TRUE(run(segment, {"forks"}).exited_with(0));
    const auto all = segment.processes();
    ASSERT_EQ(all.size(), 4u);
    for (std::size_t i = 1; i != 3; ++i) expect_counters(all[i].counters, 2, 2, 20);
    expect_counters(all[3].counters, 1, 1, 10);
    for (std::size_t i = 1; i != 4; ++i) EXPECT_EQ(all[i].entry.parent_pid, all[i - 1].entry.pid);
}

TEST_P(processes, follow_forks_in_the_middle_of_other_threads_calls) {
    test_segment segment(shape());
    EXPECT_TRUE(run(segment, {"fork-threads"}).exited_with(0));
    const auto all = segment.processes();
    ASSERT_EQ(all.size(), 21u);
    for (std::size_t i = 1; i != all.size(); ++i) {
        expect_counters(all[i].counters, 5, 0, 35);
        EXPECT_EQ(all[i].threads, 1u);
    }
}

TEST_P(processes, leave_the_child_of_a_vfork_alone) {
    test_segment segment(shape());
    EXPECT_TRUE(run(segment, {"vfork"}).exited_with(0));
    const seen_process p = segment.only_process();
    expect_counters(beyond_nothing(p), 10, 10, 1000);
    EXPECT_EQ(p.entry.exit_code, 0);
}

TEST_P(processes, are_followed_through_posix_spawn) {
    test_segment segment(shape());
    const outcome ended = run(segment, {"spawn", "malloc"});
    EXPECT_TRUE(ended.exited_with(0));
    const auto all = segment.processes();
    ASSERT_EQ(all.size(), 2u);
    EXPECT_EQ(all[1].entry.forked, 0u);
    EXPECT_EQ(all[1].entry.parent_pid, ended.pid);
    expect_counters(beyond_nothing(all[1]), 1000, 1000, 999 * 500);
}

TEST_P(processes, begin_anew_with_each_exec) {
    test_segment segment(shape());
    const outcome ended = run(segment, {"exec", "left"});
    EXPECT_TRUE(ended.exited_with(0));
    const auto all = segment.processes();
    ASSERT_EQ(all.size(), 2u);
    EXPECT_EQ(all[0].entry.pid, ended.pid);
    EXPECT_EQ(all[1].entry.pid, ended.pid);
    EXPECT_EQ(all[0].entry.exit_known, 0u);
    expect_counters(beyond_nothing(all[0]), 10, 10, 1000);
    expect_counters(beyond_nothing(all[1]), 10, 0, 10000);
}

TEST_P(processes, leave_their_counters_when_they_are_killed) {
    for (const auto& [way, signal] : {std::pair{"abort", SIGABRT}, {"kill", SIGKILL}}) {
        test_segment segment(shape());
        EXPECT_TRUE(run(segment, {way}).killed_by(signal));
        expect_counters(beyond_nothing(segment.only_process()), 1000, 1000, 10000);
        EXPECT_EQ(segment.only_process().entry.exit_known, 0u);
    }
}

TEST_P(processes, that_find_no_entry_run_unobserved_and_are_counted) {
    segment_shape small = shape();
    small.processes = 1;
    test_segment segment(small);
    EXPECT_TRUE(run(segment, {"fork"}).exited_with(0));
    EXPECT_EQ(segment.header().processes_lost, 1u);
    expect_counters(beyond_nothing(segment.only_process()), 13, 13, 1300);
}

TEST_P(processes, may_clear_their_environment) {
    EXPECT_GE(added_by({"clearenv"}, shape()).allocations, 10u);
}

INSTANTIATE_TEST_SUITE_P(modes, processes, testing::Values(ALLOT_MODE_COUNT, ALLOT_MODE_FULL),
                         [](const auto& i) { return i.param == ALLOT_MODE_FULL ? "full" : "count"; });

} // namespace
} // namespace allot::test
