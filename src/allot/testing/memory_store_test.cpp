#include <allot/testing/memory_store.hpp>

#include <gtest/gtest.h>

#include <array>
#include <set>
#include <string>

namespace allot {
namespace {

using four = std::array<std::byte, 4>;
constexpr four bytes{std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4}};
constexpr four other{std::byte{5}, std::byte{6}, std::byte{7}, std::byte{8}};

TEST(memory_store, fails_by_plan) {
    memory_store disk({.capacity_bytes = 8});
    EXPECT_TRUE(disk.write_at(0, bytes)); // 4 of them
    const result<void> full = disk.write_at(6, bytes);
    ASSERT_FALSE(full);
    EXPECT_EQ(full.error().text(), "memory_store: write 4 bytes at 6: No space left on device");
    EXPECT_EQ(disk.bytes().size(), 8); // what fitted is there
    disk.plan({.write = 1, .torn_bytes = 1});
    EXPECT_FALSE(disk.write_at(0, other)); // its first byte is there: a torn write
    EXPECT_EQ(disk.bytes()[0], other[0]);
    EXPECT_EQ(disk.bytes()[1], bytes[1]);
    EXPECT_TRUE(disk.write_at(0, other));
    disk.lose_power(7); // nothing was synced: any of it may be gone
    for (std::size_t i = 0; i < disk.bytes().size(); ++i) EXPECT_NE(disk.bytes()[i], std::byte{0xFF});
}

TEST(memory_store, reads_what_is_there_and_nothing_beyond_the_end) {
    memory_store disk;
    four into{};
    EXPECT_EQ(*disk.read_at(0, into), 0);
    ASSERT_TRUE(disk.write_at(10, bytes));
    EXPECT_EQ(*disk.read_at(12, into), 2);
    EXPECT_EQ(into[1], bytes[3]);
    EXPECT_EQ(*disk.read_at(8, into), 4);
    EXPECT_EQ(into[1], std::byte{0}); // the gap
    EXPECT_EQ(into[2], bytes[0]);
    ASSERT_TRUE(disk.discard_from(11));
    EXPECT_EQ(*disk.read_at(10, into), 1);
}

TEST(memory_store, fails_each_kind_at_its_count_once_or_lastingly) {
    four into{};
    for (const bool lasting : {false, true}) {
        memory_store disk({.plan = {.read = 2, .write = 1, .sync = 2, .lasting = lasting}});
        EXPECT_FALSE(disk.write_at(0, bytes));
        EXPECT_EQ(bool(disk.replace(bytes)), !lasting);
        EXPECT_TRUE(disk.read_at(0, into));
        EXPECT_FALSE(disk.read_at(0, into));
        EXPECT_EQ(bool(disk.read_at(0, into)), !lasting);
        EXPECT_TRUE(disk.sync());
        EXPECT_FALSE(disk.sync());
        EXPECT_EQ(disk.read_count(), 3);
    }
}

TEST(memory_store, keeps_what_was_synced_and_any_part_of_the_rest_when_it_loses_power) {
    std::set<std::string> seen;
    for (std::uint64_t seed = 0; seed != 200; ++seed) {
        memory_store disk;
        const std::vector<std::byte> old(1024, std::byte{'o'}), next(1024, std::byte{'n'});
        ASSERT_TRUE(disk.write_at(0, old));
        ASSERT_TRUE(disk.sync());
        ASSERT_TRUE(disk.write_at(0, next));
        disk.lose_power(seed);
        ASSERT_EQ(disk.bytes().size(), 1024);
        seen.insert({static_cast<char>(disk.bytes()[0]), static_cast<char>(disk.bytes()[512])});
        ASSERT_TRUE(disk.replace(std::span(old).first(7)));
        disk.lose_power(seed);
        EXPECT_EQ(disk.bytes(), std::vector(7, std::byte{'o'}));
    }
    EXPECT_EQ(seen, (std::set<std::string>{"oo", "on", "no", "nn"}));
}

} // namespace
} // namespace allot
