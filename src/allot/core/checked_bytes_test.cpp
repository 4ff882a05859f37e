#include <allot/core/checked_bytes.hpp>

#include <array>
#include <gtest/gtest.h>
#include <string>
#include <string_view>
#include <vector>

namespace allot {
namespace {

TEST(checked_bytes, usage) {
    std::array<char, 8> to{};
    const std::string_view from = "request";
    EXPECT_TRUE(checked_copy(std::span(to), from) == bytes_error::none);
    EXPECT_TRUE(checked_copy(std::span(to).first(4), from) == bytes_error::too_small && to[0] == 'r');
    EXPECT_TRUE(checked_copy(std::span(to).last(7), std::span(to).first(7)) == bytes_error::overlaps);
    EXPECT_TRUE(checked_move(std::span(to).last(7), std::span(to).first(7)) == bytes_error::none);
    EXPECT_TRUE(equal_in_constant_time(std::span(to).last(7), from));
}

TEST(checked_bytes, writes_nothing_where_it_does_not_write_all) {
    std::array<int, 4> to{1, 2, 3, 4};
    const std::array<int, 5> from{9, 9, 9, 9, 9};
    const std::array<int, 4> before = to;
    EXPECT_EQ(checked_copy(std::span(to), from), bytes_error::too_small);
    EXPECT_EQ(checked_move(std::span(to), from), bytes_error::too_small);
    EXPECT_EQ(checked_fill(std::span(to), 9, 5), bytes_error::too_small);
    EXPECT_EQ(to, before);
    EXPECT_EQ(checked_fill(std::span(to), to[1], 4), bytes_error::none); // a value of its own
    EXPECT_EQ(to, (std::array<int, 4>{2, 2, 2, 2}));
    EXPECT_EQ(checked_copy(std::span<int>(), std::span<const int>()), bytes_error::none);
    EXPECT_STREQ(text(bytes_error::overlaps), "source and destination overlap");
}

// Every pair of ranges in 8 bytes, against the definition.
TEST(checked_bytes, finds_exactly_the_ranges_with_a_common_byte) {
    std::array<std::byte, 8> bytes{};
    const std::span all(bytes);
    for (std::size_t a = 0; a < 8; ++a)
        for (std::size_t an = 0; a + an <= 8; ++an)
            for (std::size_t b = 0; b < 8; ++b)
                for (std::size_t bn = 0; b + bn <= 8; ++bn) {
                    const bool common = an && bn && a < b + bn && b < a + an;
                    ASSERT_EQ(overlap(all.subspan(a, an), all.subspan(b, bn)), common);
                    if (bn > an) continue;
                    const bool written = a < b + bn && b < a + bn && bn; // only so many bytes are
                    ASSERT_EQ(checked_copy(all.subspan(a, an), all.subspan(b, bn)),
                              written ? bytes_error::overlaps : bytes_error::none);
                }
}

// B72: begin + count overflows.
TEST(checked_bytes, a_part_lies_within_the_whole) {
    std::array<int, 4> items{};
    std::span<int> part;
    EXPECT_EQ(checked_part(std::span<int>(items), 1, 3, part), bytes_error::none);
    EXPECT_EQ(part.data(), items.data() + 1);
    EXPECT_EQ(checked_part(std::span<int>(items), 4, 0, part), bytes_error::none);
    constexpr std::size_t huge = static_cast<std::size_t>(-1);
    for (const auto& [begin, count] :
         {std::pair<std::size_t, std::size_t>{5, 0}, {2, 3}, {2, huge}, {huge, 2}})
        EXPECT_EQ(checked_part(std::span<int>(items), begin, count, part), bytes_error::overflows);
}

TEST(checked_bytes, compares_as_text_does) {
    const std::vector<std::string> words{"", "a", "ab", "b", "\xff", std::string("a\0b", 3)};
    for (const std::string& a : words)
        for (const std::string& b : words) {
            const auto order = checked_compare(std::as_bytes(std::span(a)), std::as_bytes(std::span(b)));
            EXPECT_EQ(order < 0, a < b) << a << ' ' << b;
            EXPECT_EQ(order == 0, a == b);
            EXPECT_EQ(equal_in_constant_time(a, b), a == b);
        }
}

TEST(checked_bytes, equal_in_constant_time_sees_each_bit) {
    std::array<char, 40> a{};
    std::array<char, 40> b{};
    for (std::size_t bit = 0; bit < a.size() * 8; ++bit) {
        b[bit / 8] = static_cast<char>(1 << bit % 8);
        EXPECT_FALSE(equal_in_constant_time(a, b)) << bit;
        b[bit / 8] = 0;
    }
    EXPECT_TRUE(equal_in_constant_time(a, b));
}

TEST(checked_bytes, duplicates_with_a_zero_behind_it_or_says_that_it_cannot) {
    struct {
        char bytes[8] = {'?', '?', '?', '?', '?', '?', '?', '?'};
        void* try_allocate(layout wanted) noexcept { return wanted.size <= sizeof bytes ? bytes : nullptr; }
    } memory;
    for (const std::string_view text : {std::string_view("GET /12"), std::string_view()}) {
        const std::span<char> copy = checked_duplicate(memory, text);
        ASSERT_EQ(copy.data(), memory.bytes);
        EXPECT_EQ(std::string_view(copy.data(), copy.size()), text);
        EXPECT_EQ(copy.data()[copy.size()], 0);
    }
    EXPECT_EQ(checked_duplicate(memory, std::string_view("GET /123")).data(), nullptr);
}

} // namespace
} // namespace allot
