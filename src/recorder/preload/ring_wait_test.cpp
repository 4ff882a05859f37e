#include <recorder/preload/ring_wait.hpp>

#include <gtest/gtest.h>

namespace allot::recorder {
namespace {

// `seen` differs from the tail: nobody sleeps, which is not held against the reader.
TEST(ring_wait, goes_on_at_once_when_the_reader_has_moved) { // usage
    allot_wire_header header{};
    std::uint64_t tail = 8;
    consumer_watch watch{};
    consumer_watch::patience mine{};
    for (int i = 0; i != 100'000; ++i) ASSERT_TRUE(watch.wait(mine, &header, &tail, 0));
}

TEST(ring_wait, waits_for_nobody_after_the_end) {
    allot_wire_header header{};
    header.stop = 1;
    const std::uint64_t tail = 8;
    consumer_watch watch{};
    consumer_watch::patience mine{};
    EXPECT_FALSE(watch.wait(mine, &header, &tail, 8));
}

TEST(ring_wait, gives_up_after_a_number_of_sleeps_without_a_heartbeat_and_takes_heart_again) {
    allot_wire_header header{};
    const std::uint64_t tail = 8;
    consumer_watch watch{};
    consumer_watch::patience mine{};
    int sleeps = 0;
    while (watch.wait(mine, &header, &tail, 8)) ASSERT_LE(++sleeps, 110);
    EXPECT_GE(sleeps, 90);
    for (int i = 0; i != 1000; ++i) ASSERT_FALSE(watch.wait(mine, &header, &tail, 8)); // at once
    ++header.heartbeat;
    EXPECT_TRUE(watch.wait(mine, &header, &tail, 8));
    sleeps = 0;
    while (watch.wait(mine, &header, &tail, 8)) ASSERT_LE(++sleeps, 110);
}

// Found with 10,000 threads on two processors: 64 of them had waited for a sleep and a half each.
TEST(ring_wait, counts_no_threads_sleeps_against_another) {
    allot_wire_header header{};
    const std::uint64_t tail = 8;
    consumer_watch watch{};
    consumer_watch::patience mine{}, others{};
    for (int i = 0; i != 60; ++i) {
        ASSERT_TRUE(watch.wait(mine, &header, &tail, 8));
        ASSERT_TRUE(watch.wait(others, &header, &tail, 8));
    }
}

TEST(ring_wait, goes_on_as_long_as_the_heart_beats) {
    allot_wire_header header{};
    const std::uint64_t tail = 8;
    consumer_watch watch{};
    consumer_watch::patience mine{};
    for (int i = 0; i != 120; ++i) {
        header.heartbeat += i % 2 == 0;
        ASSERT_TRUE(watch.wait(mine, &header, &tail, 8));
    }
}

} // namespace
} // namespace allot::recorder
