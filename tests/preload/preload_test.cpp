// What each hook counts, in both modes, against what the program did.

#include "harness.hpp"

#include <gtest/gtest.h>

namespace allot::test {
namespace {

class preload : public testing::TestWithParam<std::uint32_t> {
protected:
    segment_shape shape() const { return {.mode = GetParam()}; }
    void expect_added(const char* scenario, std::uint64_t allocations, std::uint64_t frees,
                      std::uint64_t reallocations, std::uint64_t bytes) {
        const allot_wire_counters added = added_by({scenario}, shape());
        EXPECT_EQ(added.allocations, allocations);
        EXPECT_EQ(added.frees, frees);
        EXPECT_EQ(added.reallocations, reallocations);
        EXPECT_EQ(added.allocated_bytes, bytes);
        EXPECT_EQ(added.dropped_events, 0u);
        EXPECT_EQ(added.dropped_stacks, 0u);
    }
};

TEST_P(preload, counts_malloc_and_free_and_not_free_of_null) {
    expect_added("malloc", 1000, 1000, 0, 999 * 500);
}
TEST_P(preload, counts_blocks_that_are_left) { expect_added("left", 10, 0, 0, 10000); }
TEST_P(preload, counts_calloc_and_not_its_overflow) { expect_added("calloc", 1, 1, 0, 70); }
TEST_P(preload, counts_a_realloc_as_one_free_and_one_allocation) {
    expect_added("realloc", 4, 4, 3, 100 + 200 + 50 + 300);
}
TEST_P(preload, counts_aligned_forms_and_not_their_failures) {
    expect_added("aligned", 5, 5, 0, 100 + 256 + 10 + 20 + 30);
}
TEST_P(preload, passes_malloc_usable_size_through) { expect_added("usable", 1, 1, 0, 100); }
TEST_P(preload, counts_all_forms_of_new_and_delete) { expect_added("cxx", 4, 4, 0, 4 + 100 + 256 + 40); }
TEST_P(preload, counts_no_failed_call_and_leaves_errno_alone) { expect_added("shortage", 1, 1, 0, 10); }

TEST_P(preload, says_who_the_process_is) {
    test_segment segment(shape());
    const outcome ended = run(segment, {"exit", "second argument"});
    EXPECT_TRUE(ended.exited_with(3));
    const seen_process p = segment.only_process();
    EXPECT_EQ(p.entry.pid, ended.pid);
    EXPECT_EQ(p.entry.parent_pid, static_cast<std::uint32_t>(getpid()));
    EXPECT_EQ(p.entry.serial, 1u);
    EXPECT_EQ(p.entry.forked, 0u);
    EXPECT_EQ(p.entry.reason, ALLOT_REASON_NONE);
    EXPECT_EQ(p.entry.exit_known, 1u);
    EXPECT_EQ(p.entry.exit_code, 3);
    EXPECT_EQ(p.command, std::string(ALLOT_TEST_SUBJECT) + '\0' + "exit" + '\0' + "second argument" + '\0');
    EXPECT_EQ(p.executable, ALLOT_TEST_SUBJECT);
    EXPECT_EQ(p.threads, 1u);
}

TEST_P(preload, notes_the_code_of_every_way_to_exit) {
    const std::pair<const char*, int> ways[] = {{"exit", 3}, {"_exit", 4}, {"_Exit", 5}, {"nothing", 0}};
    for (const auto& [way, code] : ways) {
        test_segment segment(shape());
        EXPECT_TRUE(run(segment, {way}).exited_with(code));
        EXPECT_EQ(segment.only_process().entry.exit_known, 1u) << way;
        EXPECT_EQ(segment.only_process().entry.exit_code, code) << way;
    }
}

INSTANTIATE_TEST_SUITE_P(modes, preload, testing::Values(ALLOT_MODE_COUNT, ALLOT_MODE_FULL),
                         [](const auto& i) { return i.param == ALLOT_MODE_FULL ? "full" : "count"; });

TEST(preload_count, knows_live_bytes_and_the_exact_peak_of_one_thread) {
    for (const std::uint64_t batch : {1024u * 256, 4096u, 1u << 30}) {
        test_segment idle({.batch_bytes = batch}), busy({.batch_bytes = batch});
        run(idle, {"peak", "0000"});
        const outcome ended = run(busy, {"peak", "4000"});
        const auto with = busy.only_process(), without = idle.only_process();
        EXPECT_EQ(with.peak_live_bytes - without.live_bytes, std::stoll(ended.out)) << batch;
        EXPECT_LE(with.peak_live_bytes - busy.header().peak_live_bytes, static_cast<std::int64_t>(batch));
        EXPECT_LE(std::abs(with.live_bytes - busy.header().live_bytes), static_cast<std::int64_t>(batch));
    }
}

TEST(preload_full, writes_each_call_as_an_event_with_a_whole_stack) {
    test_segment segment({.mode = ALLOT_MODE_FULL});
    run(segment, {"malloc"});
    const seen_process p = segment.only_process();
    std::uint64_t allocations = 0, frees = 0, complete_stacks = 0, last_stamp = 0;
    for (const seen_event& e : segment.events()) {
        EXPECT_GE(e.stamp, last_stamp);
        last_stamp = e.stamp;
        if (e.kind != ALLOT_EVENT_ALLOCATE && e.kind != ALLOT_EVENT_REALLOCATE_ALLOCATE) {
            ++frees;
            continue;
        }
        ++allocations;
        bool complete;
        const auto frames = segment.stack(e.node, complete);
        EXPECT_FALSE(frames.empty());
        complete_stacks += complete;
    }
    EXPECT_EQ(allocations, p.counters.allocations);
    EXPECT_EQ(frees, p.counters.frees);
    EXPECT_EQ(complete_stacks, allocations - p.counters.short_stacks);
    EXPECT_EQ(p.counters.short_stacks, 0u);
}

} // namespace
} // namespace allot::test
