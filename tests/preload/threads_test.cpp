// Threads in large numbers, on small stacks, late in their lives and interrupted: no call is lost.

#include "harness.hpp"

#include <algorithm>
#include <cstdio>
#include <gtest/gtest.h>
#include <map>
#include <set>

namespace allot::test {
namespace {

class threads : public testing::TestWithParam<std::uint32_t> {
protected:
    segment_shape shape() const { return {.mode = GetParam()}; }
};

TEST_P(threads, ten_thousand_alive_at_once_are_counted_exactly) {
    EXPECT_GE(expect_truth({"threads", "10000"}, shape()).frees, 200'000u);
}

TEST_P(threads, beyond_the_entries_are_counted_in_their_process) {
    segment_shape small = shape();
    small.threads = 16;
    EXPECT_GE(expect_truth({"threads", "100"}, small).frees, 2'000u);
}

TEST_P(threads, that_come_and_go_give_their_entries_back) {
    segment_shape small = shape();
    small.threads = 64;
    EXPECT_GE(expect_truth({"turns", "2000"}, small).frees, 20'000u);
}

TEST_P(threads, are_counted_to_their_last_destructor) {
    EXPECT_GE(expect_truth({"late"}, shape()).frees, 8u * (1 + 1 + 4));
}

TEST_P(threads, may_be_interrupted_anywhere_by_handlers_that_allocate) {
    for (const char* where : {"here!", "aside"}) {
        const run_options bump{.preload_after = {ALLOT_TEST_BUMP}};
        test_segment idle(shape()), segment(shape());
        run(idle, {"nothing", "0000", where}, bump);
        const outcome ended = run(segment, {"signals", "1000", where}, bump);
        ASSERT_TRUE(ended.exited_with(0)) << ended.status << ended.out;
        unsigned long long thousands = 0, signals = 0;
        ASSERT_EQ(std::sscanf(ended.out.c_str(), "%llu %llu", &thousands, &signals), 2);
        const seen_process with = segment.only_process(), without = idle.only_process();
        EXPECT_EQ(with.counters.allocations - without.counters.allocations, thousands * 1000 + signals * 2);
        EXPECT_EQ(with.counters.frees - without.counters.frees, thousands * 1000 + signals * 2);
        EXPECT_EQ(with.counters.allocated_bytes - without.counters.allocated_bytes,
                  thousands * 32000 + signals * 32);
        if (GetParam() == ALLOT_MODE_FULL) {
            EXPECT_EQ(segment.events().size() + with.counters.dropped_events,
                      with.counters.allocations + with.counters.frees);
        } else {
            EXPECT_EQ(with.entry.live_basis, ALLOT_BASIS_USABLE);
            EXPECT_EQ(with.live_bytes, without.live_bytes);
        }
    }
}

TEST_P(threads, have_each_their_own_id) {
    test_segment segment(shape());
    run(segment, {"threads", "4"});
    std::set<std::uint32_t> ids;
    for (std::uint32_t i = 0; i != segment.header().thread_count; ++i)
        if (segment.thread(i).tid != 0) ids.insert(segment.thread(i).tid);
    EXPECT_EQ(ids.size(), 5u);
    EXPECT_EQ(segment.header().thread_end, 5u); // what nobody used, nobody needs to look at
    EXPECT_EQ(*ids.begin(), segment.only_process().entry.pid);
}

INSTANTIATE_TEST_SUITE_P(modes, threads, testing::Values(ALLOT_MODE_COUNT, ALLOT_MODE_FULL),
                         [](const auto& i) { return i.param == ALLOT_MODE_FULL ? "full" : "count"; });

// Blocks of one address are allocated and freed in turn, whatever the threads; the stamps agree.
TEST(threads_full, stamp_every_block_before_its_free) {
    test_segment segment({.mode = ALLOT_MODE_FULL});
    run(segment, {"turns", "100"});
    const seen_process p = segment.only_process();
    EXPECT_EQ(segment.events().size(), p.counters.allocations + p.counters.frees);
    std::map<std::uint64_t, std::multimap<std::uint64_t, seen_event>>
        by_address; // and by stamp, equal ones as they came
    for (const seen_event& e : segment.events()) by_address[e.address].emplace(e.stamp, e);
    for (const auto& [address, events] : by_address) {
        bool live = false;
        for (const auto& [stamp, e] : events) {
            const bool allocates =
                e.kind == ALLOT_EVENT_ALLOCATE || e.kind == ALLOT_EVENT_REALLOCATE_ALLOCATE;
            EXPECT_NE(live, allocates) << address;
            live = allocates;
        }
    }
}

} // namespace
} // namespace allot::test
