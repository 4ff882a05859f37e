#include <allot/structure/aligned_span.hpp>

#include <gtest/gtest.h>

#include <numeric>

namespace allot {
namespace {

// Usage.

TEST(aligned_span, carries_the_alignment_of_an_array) {
    alignas(64) float values[100] = {};
    aligned_span<float, 64> all(values);
    float* first = all.data(); // the compiler knows: a multiple of 64
    EXPECT_TRUE(all.size() == 100 && is_aligned(first, 64));
    EXPECT_TRUE((!aligned_span<float, 64>::try_from(all.span().subspan(1)))); // 4 bytes in: no such view
}

// Edges.

TEST(aligned_span, is_made_only_of_what_is_aligned) { // B60
    alignas(256) std::byte bytes[512] = {};
    for (std::size_t offset = 0; offset != 256; ++offset) {
        const std::span<std::byte> part(bytes + offset, 100);
        EXPECT_EQ((aligned_span<std::byte, 16>::try_from(part).has_value()), offset % 16 == 0) << offset;
        EXPECT_EQ((aligned_span<std::byte, 256>::try_from(part).has_value()), offset == 0) << offset;
    }
}

TEST(aligned_span, is_empty_wherever_no_items_lie) {
    alignas(64) char bytes[64] = {};
    const aligned_span<char, 64> none(std::span<char>(bytes + 1, 0));
    EXPECT_TRUE(none.empty());
    EXPECT_EQ(none.data(), nullptr);
    EXPECT_TRUE((aligned_span<char, 64>::try_from(std::span<char>(bytes + 3, 0)).has_value()));
    EXPECT_EQ((aligned_span<char, 64>().span().size()), 0);
}

TEST(aligned_span, becomes_a_view_that_promises_less_and_no_view_that_promises_more) {
    alignas(64) int numbers[32] = {};
    std::iota(numbers, numbers + 32, 0);
    const aligned_span<int, 64> all(numbers);
    const aligned_span<const int, 16> less = all;
    const std::span<int> plain = all;
    EXPECT_EQ(less.data(), plain.data());
    EXPECT_EQ(all.first(5).size(), 5);
    EXPECT_EQ(all.first(500).size(), 32);
    EXPECT_EQ(all[31], 31);
    EXPECT_EQ(std::accumulate(all.begin(), all.end(), 0), 31 * 32 / 2);
    static_assert(!std::is_convertible_v<aligned_span<int, 16>, aligned_span<int, 64>>);
    static_assert(!std::is_convertible_v<aligned_span<const int, 64>, aligned_span<int, 64>>);
    static_assert(!std::is_convertible_v<std::span<int>, aligned_span<int, 64>>);
}

} // namespace
} // namespace allot
