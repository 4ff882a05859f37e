#include <allot/core/name.hpp>

#include <gtest/gtest.h>

#include <string>

namespace {

using namespace allot;

TEST(name, is_a_copy_whose_cut_shows) {
    name who = "request";
    EXPECT_EQ(who.view(), "request");
    EXPECT_EQ(name("a name of far more than thirty-one bytes").view(), "a name of far more than thir...");
}

TEST(name, holds_31_bytes_and_cuts_at_32) {
    EXPECT_EQ(name(std::string(31, 'x')).view(), std::string(31, 'x'));
    EXPECT_EQ(name(std::string(32, 'x')).view(), std::string(28, 'x') + "...");
    EXPECT_EQ(name("").view(), "");
    EXPECT_EQ(name(), name(""));
    EXPECT_STREQ(name("c").c_str(), "c");
    static_assert(sizeof(name) == 32);
}

} // namespace
