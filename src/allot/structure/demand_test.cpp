#include <allot/structure/demand.hpp>
#include <allot/testing/no_allocation.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace allot {
namespace {

// Usage.

TEST(demand, grows_at_once_and_gives_back_slowly) {
    demand need({.window_count = 100});
    for (int i = 0; i != 100; ++i) need.note(7);
    EXPECT_TRUE(need.target() == 7);
    for (int i = 0; i != 300; ++i) need.note(1);
    EXPECT_TRUE(need.target() < 7 && need.target() >= 1); // on its way down
}

// Edges.

TEST(demand, has_windows_of_one_note_and_takes_none_for_one) {
    for (const std::uint32_t count : {0, 1}) {
        demand need({.window_count = count, .target = 3});
        EXPECT_EQ(need.target(), 3);
        EXPECT_TRUE(need.note(5));
        EXPECT_EQ(need.target(), 5);
        EXPECT_EQ(need.need(), 5);
        for (int i = 0; i != 10; ++i) EXPECT_TRUE(need.note(0));
        EXPECT_EQ(need.target(), 0);
    }
}

TEST(demand, gives_nothing_back_for_one_window_that_needs_less) {
    demand need({.window_count = 10});
    const auto window = [&](std::uint64_t live) {
        for (int i = 0; i != 10; ++i) need.note(live);
        return need.target();
    };
    EXPECT_EQ(window(40), 40);
    for (int i = 0; i != 5; ++i) { // one calm window between two busy ones
        EXPECT_EQ(window(2), 40);
        EXPECT_EQ(window(40), 40);
    }
    EXPECT_EQ(window(2), 40);
    EXPECT_EQ(window(2), 21);
    EXPECT_EQ(window(2), 11);
    for (int i = 0; i != 4; ++i) (void)window(2);
    EXPECT_EQ(need.target(), 2);
}

TEST(demand, grows_with_a_miss_in_the_middle_of_a_window) {
    demand need;
    need.note_miss(1);
    need.note_miss(2);
    EXPECT_EQ(need.target(), 2);
    need.note_miss(1);
    EXPECT_EQ(need.target(), 2);
    EXPECT_EQ(need.need(), 0);
}

TEST(demand, overlooks_the_highest_hundredth) {
    demand need({.window_count = 1000});
    for (int i = 0; i != 1000; ++i) need.note(i < 10 ? 60 : 5);
    EXPECT_EQ(need.need(), 5);
    for (int i = 0; i != 1000; ++i) need.note(i < 11 ? 60 : 5);
    EXPECT_EQ(need.need(), 60);
}

constexpr std::uint64_t target_after(std::uint64_t live) {
    demand need({.window_count = 1});
    need.note(live);
    return need.target();
}
static_assert(target_after(63) == 63);
static_assert(target_after(std::uint64_t{1} << 40) >= std::uint64_t{1} << 40);
static_assert(target_after(static_cast<std::uint64_t>(-1)) == static_cast<std::uint64_t>(-1));

// Books.

TEST(demand, is_a_small_value_that_takes_no_memory) {
    static_assert(sizeof(demand) <= 296);
    no_allocation scope;
    demand need;
    for (std::uint64_t i = 0; i != 1'000'000; ++i) need.note(i % 1000);
    demand copy = need;
    EXPECT_EQ(copy.note(1), need.note(1));
    EXPECT_EQ(copy.target(), need.target());
}

// Model.

TEST(demand, finds_the_percentile_that_sorting_finds) {
    const unsigned seed = std::random_device{}();
    SCOPED_TRACE(::testing::Message() << "seed " << seed);
    std::mt19937 random(seed);
    for (int run = 0; run != 200; ++run) {
        const auto count = static_cast<std::uint32_t>(1 + random() % 2000);
        demand need({.window_count = count});
        std::uint64_t highest_before = 0;
        for (int window = 0; window != 4; ++window) {
            const std::uint64_t range = 1 + random() % (std::uint64_t{1} << random() % 20);
            std::vector<std::uint64_t> live(count);
            for (std::uint32_t i = 0; i != count; ++i) {
                live[i] = random() % range;
                ASSERT_EQ(need.note(live[i]), i + 1 == count);
            }
            std::sort(live.begin(), live.end());
            const std::uint64_t sorted = live[count - 1 - count / 100];
            const std::uint64_t off_max = std::max(highest_before, live.back()) / 32;
            ASSERT_GE(need.need(), sorted);
            ASSERT_LE(need.need(), sorted + off_max) << window;
            highest_before = live.back();
            ASSERT_GE(need.target(), need.need());
        }
    }
}

} // namespace
} // namespace allot
