#include <allot/source/malloc_source.hpp>
#include <allot/source/page_source.hpp>
#include <allot/testing/auditing_source.hpp>
#include <allot/testing/failing_source.hpp>
#include <allot/testing/no_allocation.hpp>
#include <cassert>
#include <gtest/gtest.h>
#include <memory_resource>
#include <thread>
#include <vector>

namespace allot {
namespace {

constexpr layout small{.size = 32};

// Asks so often and gives everything back; '.' for a block, 'x' for a refusal.
std::string pattern_of(failing_source& source, int count) {
    std::string pattern;
    for (int i = 0; i != count; ++i) {
        void* const block = source.try_allocate(small);
        pattern += block ? '.' : 'x';
        source.deallocate(block, small);
    }
    return pattern;
}

TEST(failing_source, usage) {
    malloc_source source;
    failing_source failing(source, {.plan = {.at = 2}});
    void* first = failing.try_allocate({.size = 32});
    void* second = failing.try_allocate({.size = 32}); // nullptr: last_refusal().who is "failing"
    void* third = failing.try_allocate({.size = 32});
    assert(first && !second && third && failing.refused_count() == 1);
    EXPECT_TRUE(first && !second && third);
    EXPECT_EQ(failing.refused_count(), 1);
    EXPECT_EQ(last_refusal().who.view(), "failing");
    failing.deallocate(first, {.size = 32});
    failing.deallocate(third, {.size = 32});
}

TEST(failing_source, refuses_nothing_without_a_plan) {
    malloc_source source;
    failing_source failing(source);
    EXPECT_EQ(pattern_of(failing, 5), ".....");
    EXPECT_EQ(failing.request_count(), 5);
    EXPECT_EQ(failing.refused_count(), 0);
}

TEST(failing_source, refuses_by_the_plan) {
    malloc_source source;
    failing_source failing(source, {.name = "short", .plan = {.at = 3, .lasting = true}});
    EXPECT_EQ(pattern_of(failing, 6), "..xxxx");
    failing.plan({.every = 3});
    EXPECT_EQ(pattern_of(failing, 7), "..x..x.");
    EXPECT_EQ(failing.request_count(), 7) << "a new plan counts anew";
    EXPECT_EQ(failing.refused_count(), 2);
    failing.plan({.at = 1, .every = 4});
    EXPECT_EQ(pattern_of(failing, 4), "x..x");
}

TEST(failing_source, refuses_by_probability_the_same_for_the_same_seed) {
    malloc_source source;
    failing_source failing(source, {.plan = {.probability = 0.25, .seed = 7}});
    const std::string first = pattern_of(failing, 4000);
    const auto refused = failing.refused_count();
    EXPECT_GT(refused, 850) << "a quarter, and five standard deviations";
    EXPECT_LT(refused, 1150);
    failing.plan({.probability = 0.25, .seed = 7});
    EXPECT_EQ(pattern_of(failing, 4000), first);
    failing.plan({.probability = 0.25, .seed = 8});
    EXPECT_NE(pattern_of(failing, 4000), first);
    failing.plan({.probability = 1.0});
    EXPECT_EQ(pattern_of(failing, 3), "xxx");
}

TEST(failing_source, each_call_that_may_say_no_is_a_request) {
    page_source source;
    failing_source failing(source);
    void* block = failing.try_allocate({.size = 100, .align = 64});
    ASSERT_NE(block, nullptr);
    const std::uint64_t noted = refusals_noted();

    failing.plan({.every = 1});
    EXPECT_EQ(failing.try_allocate(small), nullptr);
    EXPECT_FALSE(failing.try_allocate_at_least(small));
    EXPECT_EQ(failing.try_reallocate(block, {100, 64}, 200), nullptr);
    EXPECT_EQ(refusals_noted(), noted + 3);
    EXPECT_EQ(last_refusal().asked, (layout{200, 64}));
    EXPECT_STREQ(last_refusal().kind, "failing_source");
    EXPECT_FALSE(failing.try_resize(block, {100, 64}, 200));
    EXPECT_EQ(refusals_noted(), noted + 3) << "a block that cannot grow in place is no shortage";
    EXPECT_EQ(failing.request_count(), 4);
    EXPECT_EQ(failing.describe().usage.refused_count, 4);
    EXPECT_THROW((void)failing.allocate(small), out_of_memory);

    failing.plan({});
    EXPECT_TRUE(failing.try_resize(block, {100, 64}, 200)) << "within the page";
    void* const moved = failing.try_reallocate(block, {200, 64}, 10'000);
    ASSERT_NE(moved, nullptr);
    const auto more = failing.try_allocate_at_least({.size = 10});
    EXPECT_GE(more.size, 4096) << "upstream's own answer comes through";
    failing.deallocate(more.address, {.size = more.size});
    failing.deallocate(moved, {10'000, 64});
    EXPECT_EQ(source.usage().live_count, 0);
}

TEST(failing_source, speaks_for_its_upstream) {
    page_source source;
    failing_source failing(source, {.name = "short"});
    EXPECT_EQ(failing.traits(), source.traits());
    EXPECT_EQ(failing.good_size({.size = 1}), 4096);
    const source_description told = failing.describe();
    EXPECT_EQ(told.name.view(), "short");
    EXPECT_EQ(told.upstream, &source);
}

TEST(failing_source, counts_each_request_of_many_threads_once) {
    malloc_source source;
    failing_source failing(source, {.plan = {.every = 10}});
    std::vector<std::thread> threads;
    for (int i = 0; i != 4; ++i) threads.emplace_back([&] { pattern_of(failing, 1000); });
    for (std::thread& each : threads) each.join();
    EXPECT_EQ(failing.request_count(), 4000);
    EXPECT_EQ(failing.refused_count(), 400);
}

TEST(failing_source, takes_nothing_and_leaves_blocks_as_they_are) {
    malloc_source source;
    auditing_source audited(source);
    failing_source failing(audited, {.plan = {.every = 2}});
    no_allocation scope;
    for (int i = 0; i != 10; ++i) failing.deallocate(failing.try_allocate({48, 64}), {48, 64});
    EXPECT_EQ(audited.usage().total_count, 5);
}

} // namespace
} // namespace allot
