#include <recorder/collector/segment.hpp>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <recorder/collector/testing/scratch.hpp>
#include <recorder/collector/testing/small_disk.hpp>
#include <sys/stat.h>

namespace allot::recorder {
namespace {

using testing::scratch;

segment_options small(const std::string& path) {
    return {.path = path,
            .process_count = 4,
            .thread_count = 8,
            .ring_count = 2,
            .ring_words = 64,
            .pages_start = 4,
            .pages_max = 1024,
            .collected_bytes = 8192};
}

TEST(segment, is_made_by_the_collector_and_read_by_others) { // the header's example
    scratch files;
    auto made = segment::make({.path = files.path("x.partial")});
    ASSERT_TRUE(made) << made.error().text();
    EXPECT_EQ(made->thread(0)->state, ALLOT_FREE);
    auto seen = segment_map::open(files.path("x.partial"));
    ASSERT_TRUE(seen) << seen.error().text();
    EXPECT_EQ(seen->header().mode, unsigned{ALLOT_MODE_FULL});
    EXPECT_EQ(seen->ring_count(), unsigned{ALLOT_WIRE_RINGS});
}

TEST(segment, is_private_to_its_owner_and_never_overwrites_unasked) {
    scratch files;
    ASSERT_TRUE(segment::make(small(files.path("x"))));
    struct stat status{};
    ASSERT_EQ(::stat(files.path("x").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0600u);
    EXPECT_FALSE(segment::make(small(files.path("x"))));
    auto options = small(files.path("x"));
    options.replace = true;
    EXPECT_TRUE(segment::make(options));
}

TEST(segment, backs_all_that_the_limits_allow_to_touch) {
    scratch files;
    auto options = small(files.path("x"));
    options.ring_words = 1u << 15;
    auto made = segment::make(options);
    ASSERT_TRUE(made);
    struct stat status{};
    ASSERT_EQ(::stat(options.path.c_str(), &status), 0);
    EXPECT_GE(static_cast<std::size_t>(status.st_blocks) * 512, made->header().page_offset + 4 * 8192);
    EXPECT_LT(static_cast<std::size_t>(status.st_blocks) * 512, static_cast<std::size_t>(status.st_size));
}

TEST(segment, leaves_nothing_behind_where_there_is_no_room) {
    testing::small_disk files(1 << 20);
    if (!files.ok()) GTEST_SKIP() << "no mount namespaces here";
    auto made = segment::make({.path = files.path("x")});
    ASSERT_FALSE(made);
    EXPECT_NE(made.error().text().find("No space left on device"), std::string::npos) << made.error().text();
    EXPECT_NE(made.error().text().find(files.path("x")), std::string::npos) << made.error().text();
    EXPECT_FALSE(std::filesystem::exists(files.path("x")));
}

TEST(segment, says_once_that_there_is_no_room_for_more_pages) {
    testing::small_disk files(1 << 20);
    if (!files.ok()) GTEST_SKIP() << "no mount namespaces here";
    auto made = segment::make(small(files.path("x")));
    ASSERT_TRUE(made) << made.error().text();
    EXPECT_FALSE(made->grow_pages()); // 256 pages are 2 MiB
    EXPECT_EQ(made->header().page_limit, 4u);
    EXPECT_TRUE(made->grow_pages());
}

TEST(segment, raises_the_page_limit_ahead_of_use_up_to_its_maximum) {
    scratch files;
    auto made = segment::make(small(files.path("x")));
    ASSERT_TRUE(made);
    EXPECT_EQ(made->page(4), nullptr); // beyond the limit
    EXPECT_EQ(made->page(0), nullptr); // never handed out
    ASSERT_TRUE(made->grow_pages());
    const std::uint32_t first = made->header().page_limit;
    EXPECT_GE(first, 256u);
    made->header().page_next = first;
    ASSERT_TRUE(made->grow_pages());
    EXPECT_GT(made->header().page_limit, first);
    made->header().page_next = 5000; // nonsense from outside
    ASSERT_TRUE(made->grow_pages());
    EXPECT_EQ(made->header().page_limit, 1024u);
    std::memset(made->page(1023), 1, ALLOT_WIRE_PAGE_BYTES); // is backed
}

TEST(segment, hands_returned_pages_back_last_first_with_a_new_tag) {
    scratch files;
    auto made = segment::make(small(files.path("x")));
    ASSERT_TRUE(made);
    made->return_page(2);
    made->return_page(3);
    EXPECT_EQ(made->header().page_free, std::uint64_t{2} << 32 | 3);
    EXPECT_EQ(made->page(3)->next, 2u);
    EXPECT_EQ(made->page(2)->next, 0u);
}

TEST(segment, knows_nodes_by_page_and_slot) {
    scratch files;
    auto made = segment::make(small(files.path("x")));
    ASSERT_TRUE(made);
    EXPECT_EQ(made->node(0), nullptr);
    EXPECT_EQ(made->node(512), nullptr); // slot 0 is the page's header
    EXPECT_EQ(reinterpret_cast<const char*>(made->node(513)) - reinterpret_cast<const char*>(made->page(1)),
              16);
    EXPECT_EQ(made->node(0xffff'ffff), nullptr);
}

TEST(segment, refuses_what_is_not_a_segment) {
    scratch files;
    EXPECT_FALSE(segment_map::open(files.path("absent")));
    for (const std::string& text : {std::string(), std::string("ALLOTSEG"), std::string(4096, 'x')}) {
        std::ofstream(files.path("y"), std::ios::binary) << text;
        EXPECT_FALSE(segment_map::open(files.path("y")));
    }
}

TEST(segment, refuses_a_header_with_any_place_or_size_out_of_range) {
    scratch files;
    ASSERT_TRUE(segment::make(small(files.path("x"))));
    std::ifstream in(files.path("x"), std::ios::binary);
    const std::string good((std::istreambuf_iterator<char>(in)), {});
    auto opens = [&](std::size_t at, std::uint64_t value, std::size_t bytes) {
        std::string bad = good;
        std::memcpy(bad.data() + at, &value, bytes);
        std::ofstream(files.path("y"), std::ios::binary | std::ios::trunc) << bad;
        auto map = segment_map::open(files.path("y"));
        return static_cast<bool>(map);
    };
    using header = allot_wire_header;
    EXPECT_TRUE(opens(0, static_cast<unsigned char>(good[0]), 1));
    EXPECT_FALSE(opens(offsetof(header, version), ALLOT_WIRE_VERSION + 1, 4));
    EXPECT_FALSE(opens(offsetof(header, mode), 7, 4));
    for (std::size_t at :
         {offsetof(header, process_offset), offsetof(header, thread_offset), offsetof(header, source_offset),
          offsetof(header, ring_offset), offsetof(header, ring_data_offset), offsetof(header, page_offset),
          offsetof(header, segment_bytes)})
        for (std::uint64_t value : {~0ull, ~0ull - 7, 1ull << 40, 3ull, 0ull})
            EXPECT_FALSE(opens(at, value, 8)) << at;
    for (std::size_t at :
         {offsetof(header, process_count), offsetof(header, thread_count), offsetof(header, source_count),
          offsetof(header, ring_count), offsetof(header, page_count_max)})
        EXPECT_FALSE(opens(at, 0xffff'ffff, 4)) << at;
    for (std::size_t at : {offsetof(header, process_entry_bytes), offsetof(header, thread_entry_bytes),
                           offsetof(header, source_entry_bytes), offsetof(header, ring_header_bytes),
                           offsetof(header, page_bytes)})
        EXPECT_FALSE(opens(at, 8, 4)) << at;
    for (std::uint64_t words : {0ull, 63ull, 1ull << 60})
        EXPECT_FALSE(opens(offsetof(header, ring_words), words, 8));
    EXPECT_FALSE(opens(offsetof(header, collected_offset), 64, 8));
}

TEST(segment, refuses_a_file_cut_anywhere_in_its_wire_parts) {
    scratch files;
    std::size_t whole = 0;
    {
        auto made = segment::make(small(files.path("x")));
        ASSERT_TRUE(made);
        whole = made->header().segment_bytes;
    }
    for (std::size_t cut : {whole - 1, whole / 2, std::size_t{4096}, std::size_t{100}, std::size_t{0}}) {
        std::filesystem::resize_file(files.path("x"), cut);
        EXPECT_FALSE(segment_map::open(files.path("x"))) << cut;
    }
}

} // namespace
} // namespace allot::recorder
