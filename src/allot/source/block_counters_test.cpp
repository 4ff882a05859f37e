#include <allot/source/block_counters.hpp>

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace {

using namespace allot;

TEST(block_counters, count_what_is_held_and_what_was_asked) {
    detail::shared_block_counters counters;
    counters.allocated(100, 4096);
    ASSERT_TRUE(counters.read().slack_bytes == 3996);
}

template <class Counters>
void count_a_life() {
    Counters counters;
    counters.allocated(100, 128);
    counters.allocated(50, 64);
    counters.resized(100, 128, 300, 320);
    counters.resized(300, 320, 20, 32);
    counters.given_back(50, 64);
    counters.refused();
    EXPECT_EQ(counters.read(), (usage{.live_bytes = 20,
                                      .live_count = 1,
                                      .peak_live_bytes = 350,
                                      .total_bytes = 350,
                                      .total_count = 2,
                                      .refused_count = 1,
                                      .held_bytes = 32,
                                      .peak_held_bytes = 384,
                                      .held_count = 1,
                                      .slack_bytes = 12}));
    counters.given_back(20, 32);
    EXPECT_EQ(counters.live_bytes() + counters.live_count() + counters.read().held_bytes, 0u);
}

TEST(block_counters, of_one_owner_keep_the_whole_life) { count_a_life<detail::owned_block_counters>(); }
TEST(block_counters, of_many_threads_keep_the_whole_life) { count_a_life<detail::shared_block_counters>(); }

TEST(block_counters, of_many_threads_lose_nothing) {
    detail::shared_block_counters counters;
    std::vector<std::thread> threads;
    for (int t = 0; t != 4; ++t) {
        threads.emplace_back([&] {
            for (int i = 0; i != 10'000; ++i) {
                counters.allocated(10, 16);
                if (i % 2 == 0) counters.given_back(10, 16);
            }
        });
    }
    for (int i = 0; i != 1000; ++i) EXPECT_LE(counters.read().peak_live_bytes, 400'000u);
    for (std::thread& one : threads) one.join();
    const usage now = counters.read();
    EXPECT_EQ(now.live_bytes, 200'000u);
    EXPECT_EQ(now.live_count, 20'000u);
    EXPECT_EQ(now.total_count, 40'000u);
    EXPECT_EQ(now.held_bytes, 320'000u);
    EXPECT_GE(now.peak_live_bytes, now.live_bytes);
    EXPECT_LE(now.peak_live_bytes, 200'040u);
}

} // namespace
