#include <allot/core/poison.hpp>
#include <allot/platform/pages.hpp>
#include <allot/source/fixtures/model.hpp>
#include <allot/source/page_source.hpp>
#include <allot/testing/auditing_source.hpp>
#include <allot/testing/no_allocation.hpp>

#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <sstream>
#include <string>

namespace {

using namespace allot;
using namespace allot::testing_model;

TEST(page_source, gives_whole_pages) {
    page_source pages({.name = "chunks"});
    void* chunk = pages.try_allocate({.size = mebibytes(2), .align = mebibytes(2)});
    ASSERT_TRUE(chunk != nullptr && pages.usage().held_bytes == mebibytes(2));
    chunk = pages.try_reallocate(chunk, {mebibytes(2), mebibytes(2)}, mebibytes(4));
    pages.deallocate(chunk, {mebibytes(4), mebibytes(2)});
    EXPECT_EQ(pages.usage().held_bytes, 0u);
}

TEST(page_source, rounds_up_aligns_and_zeroes) {
    page_source pages;
    const std::size_t page = page_size();
    for (std::size_t align = 1; align <= mebibytes(16); align *= 4) {
        for (std::size_t size : {std::size_t{1}, page - 1, page, page + 1, mebibytes(3)}) {
            auto* const block = static_cast<unsigned char*>(pages.try_allocate({size, align}));
            ASSERT_TRUE(block && is_aligned(block, align) && is_aligned(block, page));
            EXPECT_EQ(pages.usage().held_bytes, pages.good_size({size, align}));
            EXPECT_EQ(pages.usage().slack_bytes, pages.usage().held_bytes - size);
            EXPECT_EQ(block[0] | block[size - 1], 0);
            block[0] = block[size - 1] = 1;
            pages.deallocate(block, {size, align});
        }
    }
    EXPECT_EQ(pages.good_size({.size = 0}), page);
    const std::size_t absurd = (std::size_t{1} << 63) - 1;
    EXPECT_EQ(pages.good_size({absurd, 1}), absurd);
    EXPECT_EQ(pages.traits(), (source_traits{.thread_safe = true, .zeroed = true, .moves = true}));
    EXPECT_STREQ(pages.describe().kind, "page_source");
    EXPECT_EQ(pages.describe().name.view(), "pages");
}

TEST(page_source, resizes_in_place_where_it_can) {
    page_source pages;
    const std::size_t page = page_size();
    auto* const block = static_cast<char*>(pages.allocate({8 * page, 1}));
    std::memset(block, 7, 8 * page);
    EXPECT_TRUE(pages.try_resize(block, {8 * page, 1}, page + 1)); // six pages go
    EXPECT_EQ(pages.usage().held_bytes, 2 * page);
    EXPECT_DEATH(*static_cast<volatile char*>(block + 2 * page) = 1, "");
    EXPECT_TRUE(pages.try_resize(block, {page + 1, 1}, 2 * page)); // within its page
    EXPECT_EQ(pages.usage().slack_bytes, 0u);
    if (pages.try_resize(block, {2 * page, 1}, 3 * page)) { // where nobody came in between
        EXPECT_EQ(block[3 * page - 1], 0);
        EXPECT_EQ(pages.usage().held_bytes, 3 * page);
        EXPECT_TRUE(pages.try_resize(block, {3 * page, 1}, 2 * page));
    }
    EXPECT_FALSE(pages.try_resize(block, {2 * page, 1}, std::size_t{1} << 50));
    EXPECT_EQ(pages.usage().live_bytes, 2 * page);
    EXPECT_EQ(block[page], 7);
    pages.deallocate(block, {2 * page, 1});
    EXPECT_EQ(pages.usage().live_count, 0u);
}

TEST(page_source, moves_pages_and_keeps_the_alignment) {
    page_source pages;
    for (std::size_t align : {std::size_t{1}, kibibytes(64), mebibytes(2)}) {
        const layout small{mebibytes(1), align};
        auto* block = static_cast<char*>(pages.allocate(small));
        std::memset(block, 7, small.size);
        // What lies behind it stands in the way.
        const allot::block behind = try_map_pages({page_size()});
        block = static_cast<char*>(pages.try_reallocate(block, small, mebibytes(64)));
        ASSERT_TRUE(block && is_aligned(block, align));
        EXPECT_EQ(block[0] + block[small.size - 1], 14);
        EXPECT_EQ(block[small.size] | block[mebibytes(64) - 1], 0);
        EXPECT_EQ(pages.usage().live_bytes, mebibytes(64));
        EXPECT_EQ(pages.usage().peak_held_bytes, mebibytes(64)); // never both at once
        pages.deallocate(block, {mebibytes(64), align});
        release_pages(behind);
    }
    EXPECT_EQ(pages.usage().held_bytes, 0u);
}

// The system's flags of the mapping that begins at this address: "rd wr mr … hg".
std::string mapping_flags(const void* address) {
    char start[32];
    std::snprintf(start, sizeof start, "%lx-", reinterpret_cast<unsigned long>(address));
    std::ifstream maps("/proc/self/smaps");
    bool found = false;
    for (std::string line; std::getline(maps, line);) {
        if (line.starts_with(start)) found = true;
        if (found && line.starts_with("VmFlags:")) return line + " ";
    }
    return "";
}

TEST(page_source, asks_for_huge_pages_from_its_size_on) {
    if (!std::ifstream("/sys/kernel/mm/transparent_hugepage/enabled")) GTEST_SKIP() << "no huge pages here";
    const layout huge{mebibytes(2), mebibytes(2)};
    page_source pages;
    void* const block = pages.allocate(huge);
    EXPECT_NE(mapping_flags(block).find(" hg "), std::string::npos);
    void* const small = pages.allocate({mebibytes(1), mebibytes(1)});
    EXPECT_EQ(mapping_flags(small).find(" hg "), std::string::npos);
    page_source never({.huge_bytes_min = usage::unlimited});
    void* const plain = never.allocate(huge);
    EXPECT_EQ(mapping_flags(plain).find(" hg "), std::string::npos);
    never.deallocate(plain, huge);
    pages.deallocate(small, {mebibytes(1), mebibytes(1)});
    pages.deallocate(block, huge);
}

TEST(page_source, refuses_what_the_address_space_has_not) {
    page_source pages({.name = "chunks"});
    const std::size_t absurd = std::size_t{1} << 60;
    expect_refusal(pages, {.size = absurd}, "chunks");
    expect_refusal(pages, {.size = 1, .align = std::size_t{1} << 62}, "chunks");
    expect_refusal(pages, {.size = (std::size_t{1} << 63) - 1, .align = 1}, "chunks");
    for (std::size_t align : {std::size_t{1}, kibibytes(64)}) {
        auto* const block = static_cast<char*>(pages.allocate({100, align}));
        block[99] = 7;
        EXPECT_EQ(pages.try_reallocate(block, {100, align}, absurd), nullptr);
        EXPECT_EQ(last_refusal().asked, (layout{absurd, align}));
        EXPECT_EQ(block[99], 7);
        EXPECT_EQ(pages.usage().live_bytes, 100u);
        pages.deallocate(block, {100, align});
    }
    EXPECT_EQ(pages.usage().refused_count, 5u);
}

TEST(page_source, gets_each_block_back_as_it_gave_it) {
    page_source pages;
    auditing_source audited(pages);
    run_model(audited, {.step_count = 1000},
              [&](const model& m) { ASSERT_EQ(audited.live_bytes(), m.live_bytes()); });
    EXPECT_EQ(pages.usage().live_count, 0u);
    EXPECT_EQ(pages.usage().held_bytes, 0u);
}

TEST(page_source, takes_nothing_from_malloc) {
    const no_allocation scope;
    page_source pages;
    void* const block = pages.try_allocate({100, 8});
    void* const moved = pages.try_reallocate(block, {100, 8}, mebibytes(4));
    pages.deallocate(moved, {mebibytes(4), 8});
    EXPECT_EQ(scope.count(), 0u);
}

TEST(page_source, keeps_what_random_operations_write) {
    page_source pages;
    run_model(pages, {.size_max = kibibytes(64), .align_max = kibibytes(64)}, [&](const model& m) {
        const usage now = pages.usage();
        ASSERT_EQ(now.live_bytes, m.live_bytes());
        ASSERT_EQ(now.live_count, m.live_count());
        ASSERT_EQ(now.live_bytes + now.slack_bytes, now.held_bytes);
        ASSERT_EQ(now.held_bytes % page_size(), 0u);
    });
    EXPECT_EQ(pages.usage().held_bytes, 0u);
}

TEST(page_source, serves_many_threads) {
    page_source pages;
    hammer(pages, {.step_count = 1000});
    EXPECT_EQ(pages.usage().held_bytes, 0u);
    EXPECT_EQ(pages.usage().live_bytes, 0u);
    EXPECT_EQ(pages.usage().live_count, 0u);
}

TEST(page_source_misuse, names_an_address_that_is_no_block) {
    if constexpr (checks == check_level::off) GTEST_SKIP() << "level off looks at nothing";
    page_source pages({.name = "chunks"});
    auto* const block = static_cast<char*>(pages.allocate({100, 8}));
    EXPECT_DEATH(
        pages.deallocate(block + 8, {92, 8}),
        "^allot: fatal: page_source 'chunks': 0x[0-9a-f]+8 is not the start of a block of whole pages "
        "\\(92 bytes aligned to 8\\)\n$");
    pages.deallocate(block, {100, 8});
    EXPECT_DEATH(*static_cast<volatile char*>(block) = 1, ""); // gone at once
}

TEST(page_source_misuse, makes_the_rest_of_the_last_page_visible) {
    if constexpr (!ALLOT_HAS_ASAN) GTEST_SKIP() << "AddressSanitizer only";
    page_source pages;
    auto* const block = static_cast<volatile char*>(pages.allocate({104, 8}));
    EXPECT_DEATH(block[104] = 1, "use-after-poison");
    ASSERT_TRUE(pages.try_resize(const_cast<char*>(block), {104, 8}, 200));
    block[199] = 1;
    EXPECT_DEATH(block[200] = 1, "use-after-poison");
    pages.deallocate(const_cast<char*>(block), {200, 8});
}

} // namespace
