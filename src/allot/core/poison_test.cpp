#include <allot/core/poison.hpp>

#include <gtest/gtest.h>

#include <array>
#include <cstring>

#if ALLOT_HAS_ASAN
#    include <sanitizer/asan_interface.h>
#endif

namespace {

using namespace allot;

struct poison : testing::Test {
    ~poison() override { mark_live(bytes.data(), bytes.size()); }
    alignas(64) std::array<unsigned char, 256> bytes{};
};

#if ALLOT_HAS_ASAN
TEST_F(poison, makes_dead_bytes_visible_to_address_sanitizer) {
    mark_dead(bytes.data() + 64, 64);
    EXPECT_TRUE(__asan_address_is_poisoned(bytes.data() + 64));
    EXPECT_TRUE(__asan_address_is_poisoned(bytes.data() + 127));
    EXPECT_FALSE(__asan_address_is_poisoned(bytes.data() + 63));
    EXPECT_FALSE(__asan_address_is_poisoned(bytes.data() + 128));
    mark_fresh(bytes.data() + 64, 13);
    EXPECT_FALSE(__asan_address_is_poisoned(bytes.data() + 76));
    EXPECT_TRUE(__asan_address_is_poisoned(bytes.data() + 77));
    mark_live(bytes.data() + 64, 64);
    EXPECT_FALSE(__asan_address_is_poisoned(bytes.data() + 127));
}

TEST_F(poison, leaves_no_byte_of_a_dead_range_open_when_parts_were_dead_before) {
    mark_dead(bytes.data(), 32);
    mark_dead(bytes.data(), 256);
    EXPECT_TRUE(__asan_address_is_poisoned(bytes.data() + 255));
}
#else
TEST_F(poison, touches_no_byte_below_level_full) {
    if (checks == check_level::full) GTEST_SKIP() << "this is level full";
    mark_dead(bytes.data(), bytes.size());
    mark_fresh(bytes.data(), bytes.size());
    EXPECT_EQ(bytes, (std::array<unsigned char, 256>{}));
}
#endif

TEST_F(poison, fills_dead_and_fresh_bytes_when_asked) {
    detail::mark_dead(bytes.data() + 64, 64, true);
    detail::mark_live(bytes.data() + 64, 64);
    EXPECT_EQ(bytes[63], 0);
    EXPECT_EQ(bytes[64], 0xDD);
    EXPECT_EQ(bytes[127], 0xDD);
    EXPECT_EQ(bytes[128], 0);
    detail::mark_fresh(bytes.data() + 64, 64, true);
    EXPECT_EQ(bytes[64], 0xCD);
}

} // namespace
