#include <cli/render/numbers.hpp>

#include <gtest/gtest.h>

namespace allot::cli {
namespace {

TEST(numbers, are_written_as_the_header_says) {
    EXPECT_EQ(bytes_text(12'897'484), "12.3 MiB");
    EXPECT_EQ(bytes_text(999), "999 B");
    EXPECT_EQ(count_text(1234567), "1,234,567");
    EXPECT_EQ(share_text(1, 3), "33.3 %");
    EXPECT_EQ(share_text(1, 0), "–");
    EXPECT_EQ(time_text(1'234'000'000), "1.23 s");
}

TEST(numbers, change_units_where_rounding_would_need_four_digits) {
    EXPECT_EQ(bytes_text(0), "0 B");
    EXPECT_EQ(bytes_text(1023), "1023 B");
    EXPECT_EQ(bytes_text(1024), "1.0 KiB");
    EXPECT_EQ(bytes_text(1024 * 1024 - 1), "1.0 MiB");
    EXPECT_EQ(bytes_text(UINT64_MAX), "16.0 EiB");
}

TEST(numbers, put_separators_only_between_groups) {
    EXPECT_EQ(count_text(0), "0");
    EXPECT_EQ(count_text(999), "999");
    EXPECT_EQ(count_text(1000), "1,000");
    EXPECT_EQ(count_text(100000), "100,000");
    EXPECT_EQ(count_text(UINT64_MAX), "18,446,744,073,709,551,615");
}

TEST(numbers, write_times_from_microseconds_to_days) {
    EXPECT_EQ(time_text(40'000), "0.0 ms");
    EXPECT_EQ(time_text(1'540'000), "1.5 ms");
    EXPECT_EQ(time_text(999'000'000), "999 ms");
    EXPECT_EQ(time_text(999'900'000), "1.00 s");
    EXPECT_EQ(time_text(125'000'000'000), "2 min 5 s");
    EXPECT_EQ(time_text(86'400'000'000'000), "24 h 0 min");
}

TEST(numbers, count_one_and_many) {
    EXPECT_EQ(counted(1, "process", "processes"), "1 process");
    EXPECT_EQ(counted(2000, "process", "processes"), "2,000 processes");
}

} // namespace
} // namespace allot::cli
