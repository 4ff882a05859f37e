#include <allot/document/tree_stack.hpp>

#include <allot/source/default_source.hpp>
#include <allot/testing/auditing_source.hpp>
#include <allot/testing/failing_source.hpp>
#include <gtest/gtest.h>
#include <random>
#include <vector>

namespace allot::detail {
namespace {

TEST(tree_stack, is_as_a_vector_through_all_depths) {
    auditing_source source(default_source());
    std::mt19937_64 random(7);
    {
        tree_stack<std::uint64_t> stack(source);
        std::vector<std::uint64_t> expected;
        for (std::uint64_t step = 0; step != 200'000; ++step) {
            const bool rises = random() % 1000 < (step / 10'000 % 2 == 0 ? 600 : 400);
            if (expected.empty() || rises) {
                ASSERT_TRUE(stack.try_push(step));
                expected.push_back(step);
            } else {
                ASSERT_EQ(stack.pop(), expected.back());
                expected.pop_back();
            }
            ASSERT_EQ(stack.size(), expected.size());
            ASSERT_TRUE(expected.empty() || stack.top() == expected.back());
        }
        stack.clear();
        EXPECT_TRUE(stack.empty());
    }
    EXPECT_EQ(source.live_count(), 0u);
}

TEST(tree_stack, takes_nothing_up_to_32_levels_and_stays_as_it_was_on_shortage) {
    failing_source source(default_source(), {.plan = {.every = 1}});
    tree_stack<int> stack(source);
    for (int level = 0; level != 32; ++level) ASSERT_TRUE(stack.try_push(level));
    EXPECT_EQ(source.request_count(), 0u);
    EXPECT_FALSE(stack.try_push(32));
    EXPECT_EQ(stack.pop(), 31);
    EXPECT_EQ(stack.size(), 31u);
}

} // namespace
} // namespace allot::detail
