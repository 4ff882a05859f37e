#include <allot/platform/clock.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <string>

namespace {

using namespace allot;

TEST(clock, measures_how_long_something_took) {
    std::uint64_t before = monotonic_ns();
    while (monotonic_ns() - before < 1000) {
    }
    std::uint64_t spent_ns = monotonic_ns() - before;
    EXPECT_GE(spent_ns, 1000u);
}

TEST(clock, agrees_with_the_standard_clocks) {
    const auto nanoseconds = [](auto clock) {
        return static_cast<std::uint64_t>(
            std::chrono::duration_cast<std::chrono::nanoseconds>(clock.now().time_since_epoch()).count());
    };
    const std::uint64_t steady = nanoseconds(std::chrono::steady_clock());
    const std::uint64_t monotonic = monotonic_ns();
    EXPECT_LE(steady, monotonic);
    EXPECT_LE(monotonic, nanoseconds(std::chrono::steady_clock()));
    constexpr std::uint64_t hour_ns = 3600'000'000'000; // the wall clock may be set meanwhile
    const std::uint64_t wall = nanoseconds(std::chrono::system_clock());
    EXPECT_LT(realtime_ns() - wall + hour_ns, 2 * hour_ns);
}

TEST(clock, never_runs_backwards) {
    std::uint64_t last = monotonic_ns();
    for (int round = 0; round < 10000; ++round) {
        const std::uint64_t now = monotonic_ns();
        ASSERT_LE(last, now);
        last = now;
    }
}

TEST(stamp, goes_on_while_time_does) {
    const std::uint64_t start_stamp = stamp(), start_ns = monotonic_ns();
    while (monotonic_ns() - start_ns < 1'000'000) {
    }
    // No counter in use is slower than 1 MHz; a millisecond is at least a thousand ticks.
    EXPECT_GT(stamp() - start_stamp, 1000u);
}

#if defined(__x86_64__)
TEST(stamp, is_invariant_where_the_kernel_says_so) {
    std::ifstream info("/proc/cpuinfo");
    std::string line;
    while (std::getline(info, line) && !line.starts_with("flags")) {
    }
    if (line.empty()) GTEST_SKIP() << "/proc/cpuinfo names no flags";
    EXPECT_EQ(invariant_stamp(), line.find(" nonstop_tsc") != std::string::npos);
}
#endif

} // namespace
