#include <allot/platform/pages.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <fstream>

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

TEST(pages, can_be_mapped_ready_for_use) {
    for (std::size_t align = 1; align <= mebibytes(16); align *= 2) {
        block range = try_map_pages({.size = kibibytes(12), .align = align});
        ASSERT_TRUE(range && is_aligned(range.address, std::max(align, page_size())));
        EXPECT_EQ(range.size, kibibytes(12));
        EXPECT_TRUE(all_zero(range));
        std::memset(range.address, 1, range.size);
        release_pages(range);
    }
    EXPECT_FALSE(try_map_pages({.size = std::size_t{1} << 60, .align = 4096}));
}

TEST(pages, grow_in_place_only_where_nothing_lies_behind_them) {
    const std::size_t page = page_size();
    block range = try_map_pages({.size = 3 * page});
    auto* const bytes = static_cast<char*>(range.address);
    std::memset(bytes, 7, page);
    // Another kind of mapping behind it, so that the two are not one to the system.
    ASSERT_TRUE(try_protect_pages({bytes + page, page}, page_access::read));
    EXPECT_FALSE(try_extend_pages({bytes, page}, 2 * page));
    release_pages({bytes + page, page});
    EXPECT_FALSE(try_extend_pages({bytes, page}, 3 * page)); // the third is still there
    EXPECT_TRUE(try_extend_pages({bytes, page}, 2 * page));
    EXPECT_EQ(bytes[page - 1], 7);
    EXPECT_TRUE(all_zero({bytes + page, page}));
    release_pages({bytes, 3 * page});
}

TEST(pages, move_with_their_bytes_to_where_there_is_room) {
    const std::size_t page = page_size();
    for (std::size_t align : {page, kibibytes(64), mebibytes(2)}) {
        block range = try_map_pages({.size = 2 * page, .align = align});
        std::memset(range.address, 7, range.size);
        block moved = try_move_pages(range, {.size = mebibytes(8), .align = align});
        ASSERT_TRUE(moved && is_aligned(moved.address, align));
        EXPECT_EQ(moved.size, mebibytes(8));
        EXPECT_EQ(static_cast<char*>(moved.address)[2 * page - 1], 7);
        EXPECT_TRUE(all_zero({static_cast<char*>(moved.address) + 2 * page, moved.size - 2 * page}));
        EXPECT_FALSE(try_move_pages(moved, {.size = std::size_t{1} << 60, .align = align}));
        EXPECT_EQ(static_cast<char*>(moved.address)[0], 7);
        advise_huge_pages(moved); // changes no byte
        EXPECT_EQ(static_cast<char*>(moved.address)[0], 7);
        release_pages(moved);
    }
}

TEST(pages, give_their_memory_back_even_when_no_more_mappings_are_allowed) {
    std::size_t mappings_max = 0;
    std::ifstream("/proc/sys/vm/max_map_count") >> mappings_max;
    if (mappings_max == 0 || mappings_max > 200'000) GTEST_SKIP() << "too many mappings are allowed";
    const std::size_t page = page_size();
    // Every second page readable only: each is a mapping of its own, until there are too many.
    block range = try_map_pages({.size = 2 * mappings_max * page});
    auto* const bytes = static_cast<char*>(range.address);
    block whole = try_map_pages({.size = 3 * page});
    auto* const middle = static_cast<char*>(whole.address) + page;
    std::memset(whole.address, 7, whole.size);
    std::size_t i = 0;
    while (i < mappings_max && try_protect_pages({bytes + 2 * i * page, page}, page_access::read)) ++i;
    EXPECT_LT(i, mappings_max);
    release_pages({middle, page}); // would make two mappings of one
    release_pages(range);
    EXPECT_EQ(middle[-1], 7);
    EXPECT_EQ(middle[page], 7);
    EXPECT_EQ(middle[0], 0); // the memory went, the addresses stayed
    release_pages(whole);
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
