#include <allot/platform/pages.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

namespace {

using namespace allot;

TEST(pages, reserves_much_and_fills_it_piece_by_piece) {
    block range = try_reserve_pages({.size = mebibytes(64), .align = mebibytes(2)});
    block first{range.address, mebibytes(1)};
    ASSERT_TRUE(range && try_commit_pages(first));
    std::memset(first.address, 1, first.size);
    decommit_pages(first); // the memory goes back, the addresses stay
    EXPECT_TRUE(is_aligned(range.address, mebibytes(2)));
    EXPECT_EQ(range.size, mebibytes(64));
    release_pages(range);
}

bool all_zero(block range) {
    const auto* bytes = static_cast<const unsigned char*>(range.address);
    return std::all_of(bytes, bytes + range.size, [](unsigned char byte) { return byte == 0; });
}

TEST(pages, come_zeroed_at_first_and_again_after_a_decommit) {
    block range = try_reserve_pages({.size = kibibytes(64)});
    ASSERT_TRUE(try_commit_pages(range));
    EXPECT_TRUE(all_zero(range));
    std::memset(range.address, 0xff, range.size);
    decommit_pages(range);
    ASSERT_TRUE(try_commit_pages(range));
    EXPECT_TRUE(all_zero(range));
    release_pages(range);
}

TEST(pages, are_rounded_up_and_aligned_as_asked) {
    for (std::size_t align = 1; align <= mebibytes(16); align *= 2) {
        block range = try_reserve_pages({.size = 1, .align = align});
        ASSERT_TRUE(range);
        EXPECT_EQ(range.size, page_size());
        EXPECT_TRUE(is_aligned(range.address, std::max(align, page_size())));
        ASSERT_TRUE(try_commit_pages(range)); // fails where too much was given back
        *static_cast<char*>(range.address) = 1;
        release_pages(range);
    }
}

TEST(pages, are_not_given_when_there_are_not_so_many_addresses) {
    EXPECT_FALSE(try_reserve_pages({.size = std::size_t{1} << 60, .align = 4096}));
    EXPECT_FALSE(try_reserve_pages({.size = (std::size_t{1} << 63) - 4096, .align = 4096}));
    EXPECT_FALSE(try_reserve_pages({.size = 4096, .align = std::size_t{1} << 62}));
}

TEST(pages, of_a_reservation_can_go_in_parts) {
    block range = try_reserve_pages({.size = 3 * page_size()});
    auto* start = static_cast<std::byte*>(range.address);
    release_pages({start + page_size(), page_size()});
    EXPECT_TRUE(try_commit_pages({start, page_size()}));
    EXPECT_FALSE(try_commit_pages({start + page_size(), page_size()}));
    EXPECT_TRUE(try_commit_pages({start + 2 * page_size(), page_size()}));
    release_pages({start, page_size()});
    release_pages({start + 2 * page_size(), page_size()});
}

TEST(pages_misuse, stops_the_program_where_there_is_no_access) {
    block range = try_reserve_pages({.size = page_size()});
    auto* byte = static_cast<volatile char*>(range.address);
    EXPECT_DEATH((void)*byte, "");
    ASSERT_TRUE(try_commit_pages(range));
    *byte = 5;
    ASSERT_TRUE(try_protect_pages(range, page_access::read));
    EXPECT_EQ(*byte, 5);
    EXPECT_DEATH(*byte = 6, "");
    decommit_pages(range);
    EXPECT_DEATH((void)*byte, "");
    release_pages(range);
}

TEST(pages_misuse, names_a_range_that_is_not_whole_pages) {
    block range = try_reserve_pages({.size = 2 * page_size()});
    auto* start = static_cast<std::byte*>(range.address);
    EXPECT_DEATH(
        release_pages({start + 1, page_size()}),
        "^allot: fatal: pages: 0x[0-9a-f]+1 with [0-9]+ bytes is no range of whole pages of [0-9]+\n$");
    EXPECT_DEATH(decommit_pages({start, page_size() - 1}), "no range of whole pages");
    EXPECT_DEATH((void)try_commit_pages({start, 0}), "no range of whole pages");
    EXPECT_DEATH((void)try_reserve_pages({.size = 0}),
                 "^allot: fatal: pages: reserve of 0 bytes aligned to [0-9]+\n$");
    release_pages(range);
}

} // namespace
