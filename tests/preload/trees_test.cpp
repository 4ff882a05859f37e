// Full mode's call trees: whole where they can be, said to be short where not, bounded, and of the right
// library.

#include "harness.hpp"

#include <algorithm>
#include <gtest/gtest.h>
#include <map>
#include <set>
#include <vector>

namespace allot::test {
namespace {

struct stacks_seen {
    std::uint64_t complete = 0, cut = 0;
    std::set<std::uint32_t> nodes;
};

// Of allocations of `size` bytes.
stacks_seen stacks_of(test_segment& segment, std::uint64_t size) {
    stacks_seen seen;
    for (const seen_event& e : segment.events()) {
        if (e.kind != ALLOT_EVENT_ALLOCATE || e.size != size) continue;
        bool complete = false;
        segment.stack(e.node, complete);
        ++(complete ? seen.complete : seen.cut);
        seen.nodes.insert(e.node);
    }
    return seen;
}

const segment_shape full{.mode = ALLOT_MODE_FULL};

TEST(trees, are_whole_after_longjmp_and_exceptions) {
    for (const char* scenario : {"jumps", "exceptions"}) {
        test_segment segment(full);
        EXPECT_TRUE(run(segment, {scenario}).exited_with(0));
        const stacks_seen seen = stacks_of(segment, 24);
        EXPECT_EQ(seen.complete, 2100u) << scenario;
        EXPECT_EQ(seen.cut, 0u) << scenario;
        EXPECT_EQ(seen.nodes.size(), 21u) << scenario;
    }
}

TEST(trees, are_whole_from_every_hook_and_need_the_callers_rbp_for_it) {
    test_segment segment(full);
    EXPECT_TRUE(run(segment, {"every-way"}).exited_with(0));
    std::set<std::vector<std::uint64_t>> callers; // outwards of the function that calls the hooks
    std::map<std::uint64_t, int> seen;
    for (const seen_event& e : segment.events()) {
        if (e.size < 501 || e.size > 511) continue;
        bool complete = false;
        auto frames = segment.stack(e.node, complete);
        EXPECT_TRUE(complete) << e.size;
        ++seen[e.size];
        callers.emplace(frames.begin() + 1, frames.end());
    }
    EXPECT_EQ(seen.size(), 11u);
    for (const auto& [size, count] : seen) EXPECT_EQ(count, 100) << size;
    EXPECT_EQ(callers.size(), 1u);
}

TEST(trees, of_coroutines_are_short_and_said_to_be) {
    test_segment segment(full);
    EXPECT_TRUE(run(segment, {"coroutines"}).exited_with(0));
    const stacks_seen seen = stacks_of(segment, 24);
    EXPECT_EQ(seen.complete, 100u);
    EXPECT_EQ(seen.cut, 100u);
    EXPECT_EQ(segment.only_process().counters.short_stacks, 100u);
}

TEST(trees, of_threads_reach_the_threads_root) {
    test_segment segment(full);
    EXPECT_TRUE(run(segment, {"threads", "20"}).exited_with(0));
    const stacks_seen seen = stacks_of(segment, 20);
    EXPECT_EQ(seen.complete, 400u);
    EXPECT_EQ(seen.cut, 0u);
}

TEST(trees, do_not_grow_with_calls_from_the_same_place) {
    test_segment few(full), many(full);
    run(few, {"events", "10"});
    run(many, {"events", "100000"});
    EXPECT_EQ(few.node_count(few.only_process()), many.node_count(many.only_process()));
}

TEST(trees, fold_recursion_once_they_are_very_large) {
    segment_shape large = full;
    large.pages = large.page_limit = 8192;
    large.ring_words = 1 << 16;
    test_segment segment(large);
    EXPECT_TRUE(run(segment, {"contexts", "20"}).exited_with(0));
    const seen_process p = segment.only_process();
    EXPECT_EQ(stacks_of(segment, 8).complete, 1u << 20);
    EXPECT_GE(p.entry.folded_stacks, 1u);
    EXPECT_GE(segment.node_count(p), 1'000'000u);
    EXPECT_LE(segment.node_count(p), 2'000'000u); // 4.2 million without folding
    EXPECT_EQ(p.counters.dropped_stacks, 0u);
    EXPECT_EQ(p.counters.dropped_events, 0u);
}

TEST(trees, drop_stacks_but_no_events_when_there_is_no_page_left) {
    segment_shape small = full;
    small.page_limit = 5;
    test_segment segment(small);
    EXPECT_TRUE(run(segment, {"contexts", "12"}).exited_with(0));
    const seen_process p = segment.only_process();
    EXPECT_GT(p.counters.dropped_stacks, 1000u);
    EXPECT_EQ(p.counters.dropped_events, 0u);
    EXPECT_EQ(segment.events().size(), p.counters.allocations + p.counters.frees);
    EXPECT_LE(segment.header().page_next, 5u);
    std::uint64_t dropped = 0;
    for (const seen_event& e : segment.events())
        dropped += e.kind == ALLOT_EVENT_ALLOCATE && e.node == ALLOT_NODE_DROPPED;
    EXPECT_EQ(dropped, p.counters.dropped_stacks);
}

TEST(trees, take_pages_that_the_collector_gave_back) {
    segment_shape small = full;
    small.page_limit = 6;
    test_segment segment(small);
    auto& returned = const_cast<allot_wire_page&>(segment.page(4));
    returned = {5, 77, 99};
    segment.header().page_next = 6;
    segment.header().page_free = std::uint64_t{9} << 32 | 4;
    EXPECT_TRUE(run(segment, {"malloc"}).exited_with(0));
    EXPECT_EQ(segment.header().page_free, std::uint64_t{11} << 32);
    const seen_process p = segment.only_process();
    EXPECT_EQ(std::min(p.entry.node_page_first, p.entry.blob_page_first), 4u);
    EXPECT_EQ(std::max(p.entry.node_page_first, p.entry.blob_page_first), 5u);
    EXPECT_EQ(p.counters.dropped_stacks, 0u);
}

TEST(trees, name_the_library_that_was_loaded_then) {
    test_segment segment(full);
    const outcome ended = run(segment, {"libraries", ALLOT_TEST_WORK_A, ALLOT_TEST_WORK_B});
    EXPECT_TRUE(ended.exited_with(0)) << ended.out;
    EXPECT_EQ(ended.out, "same\n") << "the libraries lay apart: nothing was tested";
    const auto modules = segment.modules(segment.only_process());
    const auto expect_in = [&](std::uint64_t size, const std::string& path) {
        std::uint64_t seen = 0;
        for (const seen_event& e : segment.events()) {
            if (e.kind != ALLOT_EVENT_ALLOCATE || e.size != size) continue;
            bool complete = false;
            EXPECT_GE(segment.stack(e.node, complete).size(), 9u);
            EXPECT_TRUE(complete);
            const auto& page = segment.page(e.node / ALLOT_WIRE_NODES_PER_PAGE);
            const auto& node =
                reinterpret_cast<const allot_wire_node*>(&page)[e.node % ALLOT_WIRE_NODES_PER_PAGE];
            for (const auto& m : modules) seen += m.id == node.module && m.path == path;
        }
        EXPECT_EQ(seen, 3u) << path;
    };
    expect_in(1234, ALLOT_TEST_WORK_A);
    expect_in(4321, ALLOT_TEST_WORK_B);
}

TEST(trees, have_modules_with_build_ids_and_bounds) {
    test_segment segment(full);
    run(segment, {"malloc"});
    const seen_process p = segment.only_process();
    bool subject = false, libc = false;
    for (const seen_module& m : segment.modules(p)) {
        EXPECT_LT(m.start, m.end);
        EXPECT_LE(m.bias, m.start);
        subject |= m.path == ALLOT_TEST_SUBJECT && m.build_id.size() == 20;
        libc |= m.path.find("libc.so.6") != std::string::npos && m.build_id.size() == 20;
    }
    EXPECT_TRUE(subject);
    EXPECT_TRUE(libc);
}

} // namespace
} // namespace allot::test
