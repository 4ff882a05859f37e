#include <allot/core/bytes.hpp>

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>

namespace {

using namespace allot;

constexpr std::size_t size_max = std::numeric_limits<std::size_t>::max();

// How many bytes `count` nodes take, in whole pages; 0 when that is no size.
std::size_t bytes_of(std::size_t count, std::size_t node, std::size_t page) {
    std::size_t bytes = 0;
    if (!checked_multiply(count, node, bytes) || !checked_align_up(bytes, page, bytes)) return 0;
    return bytes;
}

TEST(bytes, computes_a_size_or_says_that_there_is_none) {
    EXPECT_EQ(bytes_of(3, 2000, 4096), 8192u);
    EXPECT_EQ(bytes_of(0, 2000, 4096), 0u);
    EXPECT_EQ(bytes_of(size_max / 2000 + 1, 2000, 4096), 0u); // the product overflows
    EXPECT_EQ(bytes_of(size_max / 5, 5, 4096), 0u);           // the rounding overflows
}

TEST(bytes, leaves_the_output_alone_when_a_checked_form_fails) {
    std::size_t out = 42;
    EXPECT_FALSE(checked_add(size_max, std::size_t{1}, out));
    EXPECT_FALSE(checked_subtract(std::size_t{1}, std::size_t{2}, out));
    EXPECT_FALSE(checked_multiply(size_max, std::size_t{2}, out));
    EXPECT_FALSE(checked_align_up(size_max, std::size_t{2}, out));
    EXPECT_EQ(out, 42u);
}

// Against 64-bit arithmetic, for every pair of bytes: narrow types must not hide an overflow by promotion.
TEST(bytes, checks_right_for_every_pair_of_narrow_numbers) {
    for (unsigned a = 0; a < 256; ++a)
        for (unsigned b = 0; b < 256; ++b) {
            const auto x = static_cast<std::uint8_t>(a), y = static_cast<std::uint8_t>(b);
            std::uint8_t out = 0;
            EXPECT_EQ(checked_add(x, y, out), a + b < 256);
            if (a + b < 256) {
                EXPECT_EQ(out, a + b);
            }
            out = 0;
            EXPECT_EQ(checked_multiply(x, y, out), a * b < 256);
            if (a * b < 256) {
                EXPECT_EQ(out, a * b);
            }
            EXPECT_EQ(checked_subtract(x, y, out), a >= b);
            if (a >= b) {
                EXPECT_EQ(out, a - b);
            }
        }
}

TEST(bytes, rounds_to_the_nearest_multiple_on_either_side) {
    for (std::uint32_t align = 1; align != 0; align <<= 1)
        for (const std::uint32_t value : {0u, 1u, align - 1, align, 12345u}) {
            EXPECT_EQ(align_down(value, align), value / align * align);
            if (value <= std::numeric_limits<std::uint32_t>::max() - (align - 1)) {
                EXPECT_EQ(align_up(value, align), (std::uint64_t{value} + align - 1) / align * align);
            }
            EXPECT_EQ(is_aligned(value, align), value % align == 0);
        }
}

TEST(bytes, keeps_the_high_bits_of_wide_values) {
    EXPECT_EQ(align_down(std::uint64_t{0xffff'ffff'ffff'ffff}, std::uint64_t{4096}), 0xffff'ffff'ffff'f000u);
    EXPECT_EQ(align_up(std::uint64_t{0x1'0000'0001}, std::uint64_t{16}), 0x1'0000'0010u);
}

TEST(bytes, knows_powers_of_two) {
    EXPECT_FALSE(is_power_of_two(0u));
    EXPECT_TRUE(is_power_of_two(1u));
    EXPECT_TRUE(is_power_of_two(std::size_t{1} << 63));
    EXPECT_FALSE(is_power_of_two(size_max));
    EXPECT_FALSE(is_power_of_two(6u));
}

TEST(bytes, tells_whether_an_address_is_aligned) {
    alignas(64) const char bytes[64]{};
    EXPECT_TRUE(is_aligned(bytes, 64));
    EXPECT_FALSE(is_aligned(bytes + 1, 2));
    EXPECT_TRUE(is_aligned(static_cast<const void*>(nullptr), 4096));
}

TEST(bytes, counts_in_binary_units) {
    static_assert(kibibytes(3) == 3072 && mebibytes(2) == 2097152 && gibibytes(1) == 1073741824);
}

} // namespace
