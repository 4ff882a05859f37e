#include <recorder/collector/pace.hpp>

#include <gtest/gtest.h>

namespace allot::recorder {
namespace {

TEST(pace, sleeps_until_a_quarter_of_a_ring_is_written) { // usage
    pace sleep(recording_mode::full);
    sleep.looked({.now_ns = 1'000'000, .fill = 16}); // a 64th of a ring since the look before
    EXPECT_EQ(sleep.rest_ns(), 1'000'000u);          // nothing in it calls for haste
    sleep.looked({.now_ns = 2'000'000, .fill = 512, .given = true});
    EXPECT_EQ(sleep.rest_ns(), 0u); // look again at once
    sleep.looked({.now_ns = 2'400'000, .fill = 128, .given = true});
    EXPECT_EQ(sleep.rest_ns(), 800'000u); // an eighth in 0.4 ms: a quarter in 0.8
}

TEST(pace, does_not_spin_on_a_full_ring_that_cannot_be_read_yet) {
    pace sleep(recording_mode::full);
    sleep.looked({.now_ns = 1'000'000, .fill = 1000});
    EXPECT_EQ(sleep.rest_ns(), pace::soon_ns);
}

TEST(pace, sleeps_longer_and_longer_while_nothing_happens_and_wakes_up_at_a_change) {
    for (const auto mode : {recording_mode::full, recording_mode::count}) {
        pace sleep(mode);
        const std::uint64_t longest = mode == recording_mode::full ? pace::idle_full_ns : pace::idle_count_ns;
        std::uint64_t now_ns = 0, before_ns = 0, spent_ns = 0;
        for (int i = 0; i < 40; ++i) {
            sleep.looked({.now_ns = now_ns});
            EXPECT_GE(sleep.rest_ns(), before_ns);
            before_ns = sleep.rest_ns();
            if (before_ns != longest) spent_ns += before_ns;
            now_ns += before_ns;
        }
        EXPECT_EQ(sleep.rest_ns(), longest);
        EXPECT_LT(spent_ns, 50'000'000u);
        sleep.looked({.now_ns = now_ns, .changed = true});
        EXPECT_LE(sleep.rest_ns(), 1'000'000u);
    }
}

TEST(pace, follows_a_writer_that_becomes_faster) {
    constexpr std::uint32_t parts_a_ms[] = {1, 4, 16, 64, 256, 500}; // half a ring a millisecond is the most
    pace sleep(recording_mode::full);
    std::uint64_t now_ns = 0;
    for (const std::uint32_t rate : parts_a_ms)
        for (int i = 0; i < 10; ++i) {
            const std::uint64_t slept_ns = std::max<std::uint64_t>(sleep.rest_ns(), 10'000);
            const auto fill = static_cast<std::uint32_t>(rate * slept_ns / 1'000'000 + 1);
            EXPECT_LT(fill, pace::whole_ring) << "the ring was full: rate " << rate << ", look " << i;
            now_ns += slept_ns;
            sleep.looked({.now_ns = now_ns, .fill = fill, .given = true});
        }
}

} // namespace
} // namespace allot::recorder
