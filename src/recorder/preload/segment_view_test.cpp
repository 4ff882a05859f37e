#include <recorder/preload/segment_view.hpp>

#include <cstring>
#include <gtest/gtest.h>
#include <random>
#include <vector>

namespace allot::recorder {
namespace {

allot_wire_header good_header() {
    allot_wire_header h{};
    std::memcpy(h.magic, ALLOT_WIRE_MAGIC, 8);
    h.version = ALLOT_WIRE_VERSION, h.mode = ALLOT_MODE_FULL;
    h.process_offset = 4096, h.process_count = 2, h.process_entry_bytes = sizeof(allot_wire_process);
    h.thread_offset = 8192, h.thread_count = 4, h.thread_entry_bytes = sizeof(allot_wire_thread);
    h.source_offset = 10240, h.source_count = 3, h.source_entry_bytes = sizeof(allot_wire_source);
    h.ring_offset = 12288, h.ring_count = 2, h.ring_header_bytes = sizeof(allot_wire_ring);
    h.ring_data_offset = 16384, h.ring_words = 64;
    h.page_offset = 20480, h.page_bytes = ALLOT_WIRE_PAGE_BYTES, h.page_count_max = 3;
    h.segment_bytes = 20480 + 3 * ALLOT_WIRE_PAGE_BYTES;
    return h;
}

constexpr std::uint64_t bytes_of_file = 20480 + 3 * ALLOT_WIRE_PAGE_BYTES;
alignas(8) char file[bytes_of_file];

bool accepts(const allot_wire_header& h, std::uint64_t file_bytes) {
    std::memcpy(file, &h, sizeof h);
    segment_view view;
    return view.read(file, file_bytes);
}

TEST(segment_view, finds_the_parts_of_a_whole_segment) { // usage
    ASSERT_TRUE(accepts(good_header(), bytes_of_file));
    segment_view view;
    ASSERT_TRUE(view.read(file, bytes_of_file));
    const char* base = file;
    EXPECT_EQ(reinterpret_cast<char*>(view.header), base);
    EXPECT_EQ(reinterpret_cast<char*>(view.process(1)) - base,
              4096 + static_cast<long>(sizeof(allot_wire_process)));
    EXPECT_EQ(reinterpret_cast<char*>(view.thread(3)) - base,
              8192 + 3 * static_cast<long>(sizeof(allot_wire_thread)));
    EXPECT_EQ(reinterpret_cast<char*>(view.source(2)) - base,
              10240 + 2 * static_cast<long>(sizeof(allot_wire_source)));
    EXPECT_EQ(reinterpret_cast<char*>(view.words_of_ring(1)) - base, 16384 + 512);
    EXPECT_EQ(reinterpret_cast<char*>(view.page(2)) - base, 20480 + 2 * ALLOT_WIRE_PAGE_BYTES);
    EXPECT_EQ(reinterpret_cast<char*>(view.node(512 + 7)) - base, 20480 + ALLOT_WIRE_PAGE_BYTES + 7 * 16);
    EXPECT_FALSE(view.stopped());
}

TEST(segment_view, refuses_what_does_not_fit_by_one) {
    const std::uint64_t bytes = bytes_of_file;
    EXPECT_TRUE(accepts(good_header(), bytes));
    EXPECT_TRUE(accepts(good_header(), bytes + 1));
    EXPECT_FALSE(accepts(good_header(), bytes - 1));
    EXPECT_FALSE(accepts(good_header(), sizeof(allot_wire_header) - 1));
    EXPECT_FALSE(accepts(good_header(), 0));
    const auto refuses = [&](auto spoil) {
        allot_wire_header h = good_header();
        spoil(h);
        return !accepts(h, bytes);
    };
    EXPECT_TRUE(refuses([](auto& h) { h.page_count_max += 1; }));
    EXPECT_TRUE(refuses([](auto& h) { h.page_offset += 8; }));
    EXPECT_TRUE(refuses([](auto& h) { h.page_offset -= 4; }));
    EXPECT_TRUE(refuses([](auto& h) { h.thread_entry_bytes -= 8; }));
    EXPECT_TRUE(refuses([](auto& h) { h.source_entry_bytes -= 8; }));
    EXPECT_TRUE(refuses([](auto& h) { h.source_offset = bytes_of_file - 8; }));
    EXPECT_TRUE(refuses([](auto& h) { h.process_offset = 8; })); // on top of the header
    EXPECT_TRUE(refuses([](auto& h) { h.ring_words = 96; }));
    EXPECT_TRUE(refuses([](auto& h) { h.ring_words = std::uint64_t{1} << 61; }));
    EXPECT_TRUE(refuses([](auto& h) { h.ring_count = 0; }));
    EXPECT_TRUE(refuses([](auto& h) { h.version += 1; }));
    EXPECT_TRUE(refuses([](auto& h) { h.mode = 0; }));
}

TEST(segment_view, does_not_need_rings_in_count_mode) {
    allot_wire_header h = good_header();
    h.mode = ALLOT_MODE_COUNT, h.ring_count = 0, h.ring_words = 0, h.ring_offset = 0, h.ring_data_offset = 0;
    EXPECT_TRUE(accepts(h, h.segment_bytes));
}

// Whatever a header says, what is accepted lies within the file.
TEST(segment_view, believes_no_random_header) { // model
    const auto seed = std::random_device{}();
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    int accepted = 0;
    for (int round = 0; round != 200'000; ++round) {
        allot_wire_header h = good_header();
        for (auto spoiled = random() % 3; spoiled != 0; --spoiled) {
            std::size_t place = 8 + random() % offsetof(allot_wire_header, collector_pid);
            if (place >=
                offsetof(allot_wire_header, collector_pid)) // eight of as many: the parts added later
                place = offsetof(allot_wire_header, source_offset) + random() % 16;
            auto* at = reinterpret_cast<unsigned char*>(&h) + place;
            *at = static_cast<unsigned char>(random());
        }
        std::memcpy(file, &h, sizeof h);
        segment_view view;
        if (!view.read(file, bytes_of_file)) continue;
        ++accepted;
        const auto within = [&](const void* end) {
            return static_cast<const char*>(end) <= file + bytes_of_file;
        };
        ASSERT_TRUE(within(view.process(view.process_count)));
        ASSERT_TRUE(within(view.thread(view.thread_count)));
        ASSERT_TRUE(view.source_count == 0 || within(view.source(view.source_count)));
        ASSERT_TRUE(view.ring_count == 0 || within(view.words_of_ring(view.ring_count)));
        ASSERT_TRUE(view.page_count_max == 0 || within(view.page(view.page_count_max)));
    }
    EXPECT_GT(accepted, 10'000); // what was not spoiled, at least
}

} // namespace
} // namespace allot::recorder
