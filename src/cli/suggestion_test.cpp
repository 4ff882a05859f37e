#include <cli/suggestion.hpp>

#include <gtest/gtest.h>
#include <string>
#include <vector>

namespace allot::cli {
namespace {

const std::vector<std::string> flags{"--format", "--top", "--sort", "--salvage"};

TEST(suggestion, finds_the_near_name_and_none_where_nothing_is_near) {
    EXPECT_EQ(suggest("--formt", flags), "--format");
    EXPECT_EQ(suggest("--zzz", flags), "");
}

TEST(suggestion, takes_swapped_letters_as_one_mistake) {
    EXPECT_EQ(suggest("--tpo", flags), "--top");
    EXPECT_EQ(suggest("rnu", std::vector<std::string>{"run", "report"}), "run");
}

TEST(suggestion, of_nothing_or_from_nothing_is_nothing) {
    EXPECT_EQ(suggest("", flags), "");
    EXPECT_EQ(suggest("--top", {}), "");
}

} // namespace
} // namespace allot::cli
