#include <recorder/preload/counters.hpp>

#include <gtest/gtest.h>
#include <recorder/wire.h>

namespace allot::recorder {
namespace {

TEST(counters, add_and_say_when_headroom_is_used_up) { // usage
    allot_wire_thread entry{};
    add_one(entry.counters.frees);
    add(entry.counters.allocated_bytes, std::uint64_t{5'000'000'000});
    EXPECT_EQ(entry.counters.frees, 1u);
    EXPECT_EQ(entry.counters.allocated_bytes, 5'000'000'000u);
    EXPECT_TRUE(subtract_below_zero(entry.live_headroom_bytes, 1));
    EXPECT_EQ(entry.live_headroom_bytes, -1);
    add(entry.live_headroom_bytes, std::int64_t{3});
    EXPECT_FALSE(subtract_below_zero(entry.live_headroom_bytes, 2));
    EXPECT_FALSE(subtract_below_zero(entry.live_headroom_bytes, 0));
    EXPECT_EQ(entry.live_headroom_bytes, 0);
}

} // namespace
} // namespace allot::recorder
