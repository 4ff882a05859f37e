#include <allot/core/layout.hpp>

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>

namespace {

using namespace allot;

struct node {
    double value;
    char tag;
};

TEST(layout, says_what_a_type_needs) {
    layout wanted = layout_of<node>();
    layout row{.size = 100, .align = 64};
    EXPECT_TRUE(is_valid(row) && row.size >= wanted.size);
    EXPECT_EQ(wanted, (layout{.size = sizeof(node), .align = alignof(double)}));
}

TEST(layout, is_valid_only_when_an_allocator_could_mean_it) {
    EXPECT_FALSE(is_valid({}));
    EXPECT_TRUE(is_valid({.size = 1, .align = 1}));
    EXPECT_FALSE(is_valid({.size = 1, .align = 0}));
    EXPECT_FALSE(is_valid({.size = 1, .align = 48}));
    const auto half = static_cast<std::size_t>(std::numeric_limits<std::ptrdiff_t>::max());
    EXPECT_TRUE(is_valid({.size = half, .align = 1}));
    EXPECT_FALSE(is_valid({.size = half + 1, .align = 1}));
    EXPECT_FALSE(is_valid({.size = half, .align = 2}));
    EXPECT_TRUE(is_valid({.size = half - 4095, .align = 4096}));
    EXPECT_FALSE(is_valid({.size = half - 4094, .align = 4096}));
    EXPECT_FALSE(is_valid({.size = 1, .align = std::size_t{1} << 63}));
}

TEST(layout, aligns_for_any_object_by_default) {
    EXPECT_EQ(layout{.size = 1}.align, alignof(std::max_align_t));
}

TEST(block, is_empty_without_an_address) {
    int object = 0;
    EXPECT_FALSE(block{});
    EXPECT_TRUE((block{&object, sizeof object}));
    EXPECT_FALSE((block{nullptr, 8}));
    static_assert(sizeof(block) == 16 && sizeof(layout) == 16);
}

} // namespace
