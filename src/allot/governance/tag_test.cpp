#include <allot/governance/tag.hpp>

#include <algorithm>
#include <atomic>
#include <gtest/gtest.h>
#include <string>
#include <thread>
#include <vector>

namespace allot {
namespace {

TEST(tag, usage) {
    const tag strings = tag::make("strings", tags::parse);
    EXPECT_TRUE(strings == tag::make("strings", tags::parse) && strings.parent() == tags::parse);
    EXPECT_TRUE(strings.name().view() == "strings" && strings.depth() == 2);
    EXPECT_TRUE(tag().name().view() == "untagged");
}

TEST(tag, has_the_ready_made_ones_under_the_root) {
    const std::string_view names[] = {"untagged", "general", "edge",  "node", "parse",
                                      "cbor",     "plugin",  "cache", "temp"};
    ASSERT_EQ(std::size(names), tags::count);
    for (std::size_t i = 0; i < tags::count; ++i) {
        EXPECT_EQ(tag::at(i).name().view(), names[i]);
        EXPECT_EQ(tag::at(i).parent(), tag());
    }
    EXPECT_EQ(tag::make("cache"), tags::cache);
    EXPECT_EQ(tag().depth(), 0u);
    EXPECT_EQ(tags::temp.depth(), 1u);
}

TEST(tag, of_the_same_name_under_another_parent_is_another) {
    const tag a = tag::make("same", tags::edge);
    const tag b = tag::make("same", tags::node);
    EXPECT_NE(a, b);
    EXPECT_TRUE(a.is_within(tags::edge) && a.is_within(tag()) && a.is_within(a));
    EXPECT_FALSE(a.is_within(tags::node) || tags::edge.is_within(a));
}

TEST(tag, takes_names_of_1_to_31_bytes_and_cuts_none) {
    EXPECT_FALSE(tag::try_make(""));
    EXPECT_FALSE(tag::try_make(std::string(32, 'a')));
    const tag longest = tag::make(std::string(31, 'a'));
    EXPECT_EQ(longest.name().view(), std::string(31, 'a'));
    EXPECT_DEATH(tag::make(""), "allot: fatal: tag: a name of 0 bytes \\(1 to 31 are allowed\\)");
}

TEST(tag, is_one_for_eight_threads_that_make_the_same_names) {
    std::vector<std::vector<tag>> made(8);
    std::vector<std::thread> threads;
    for (auto& mine : made)
        threads.emplace_back([&mine] {
            for (int i = 0; i < 50; ++i) mine.push_back(tag::make("t" + std::to_string(i), tags::plugin));
        });
    for (std::thread& each : threads) each.join();
    for (const auto& each : made) EXPECT_EQ(each, made[0]);
    std::vector<tag> distinct = made[0];
    std::ranges::sort(distinct);
    EXPECT_EQ(std::ranges::unique(distinct).size(), 0u);
}

// The last one: it fills the process's table.
TEST(tag, refuses_when_the_table_is_full) {
    for (int i = 0; tag::count() < tag::count_max; ++i)
        ASSERT_TRUE(tag::try_make("full" + std::to_string(i), tags::temp));
    EXPECT_FALSE(tag::try_make("one more"));
    EXPECT_EQ(tag::try_make("full0", tags::temp)->parent(), tags::temp);
    EXPECT_DEATH(tag::make("one more"), "allot: fatal: tag 'one more': no room for more than 1024 tags");
}

} // namespace
} // namespace allot
