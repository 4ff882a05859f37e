#include <recorder/preload/page_chain.hpp>

#include <cstring>
#include <gtest/gtest.h>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace allot::recorder {
namespace {

// A header and pages, without the rest of a segment.
struct pages {
    explicit pages(std::uint32_t count, std::uint32_t limit)
        : memory(std::make_unique<allot_wire_node[]>(std::size_t{count} * ALLOT_WIRE_NODES_PER_PAGE)) {
        header.page_limit = limit;
        segment.header = &header;
        segment.page_base = reinterpret_cast<char*>(memory.get());
        segment.page_count_max = count;
    }
    allot_wire_header header{};
    std::unique_ptr<allot_wire_node[]> memory;
    segment_view segment;
};

TEST(page_chain, hands_out_nodes_and_says_when_there_is_no_page) { // usage
    pages in(10, 3);
    page_chain nodes{};
    std::uint32_t first = 0;
    EXPECT_EQ(nodes.add_node(in.segment, &first, 42, {0x1000, ALLOT_NODE_ROOT, 3}),
              1u * ALLOT_WIRE_NODES_PER_PAGE + 1);
    EXPECT_EQ(first, 1u);
    EXPECT_EQ(in.segment.page(1)->process_serial, 42u);
    for (int i = 1; i != 2 * 511; ++i)
        ASSERT_GE(nodes.add_node(in.segment, &first, 42, {1, 513, 0}), ALLOT_NODE_FIRST);
    EXPECT_EQ(in.segment.page(1)->next, 2u);
    EXPECT_EQ(in.segment.page(2)->used, 512u);
    EXPECT_EQ(nodes.add_node(in.segment, &first, 42, {1, 513, 0}), 0u);
    EXPECT_EQ(in.header.page_next, 3u);
    in.header.page_limit = 4; // the collector gives more
    EXPECT_EQ(nodes.add_node(in.segment, &first, 42, {1, 513, 0}), 3u * ALLOT_WIRE_NODES_PER_PAGE + 1);
}

TEST(page_chain, keeps_records_whole_within_pages) {
    pages in(10, 10);
    page_chain blobs{};
    std::uint32_t first = 0;
    char bytes[ALLOT_WIRE_PAGE_BYTES] = {};
    auto* record = reinterpret_cast<allot_wire_record*>(bytes);
    std::vector<std::uint16_t> sizes{8, 9, 100, 8175, 8176, 15, 4000, 4000, 4000, 16};
    for (const std::uint16_t size : sizes) {
        record->kind = ALLOT_BLOB_MODULE, record->bytes = size;
        std::memset(bytes + sizeof *record, size, size - sizeof *record);
        EXPECT_TRUE(blobs.add_record(in.segment, &first, 1, record)) << size;
    }
    record->bytes = 8177;
    EXPECT_FALSE(blobs.add_record(in.segment, &first, 1, record));
    record->bytes = 7;
    EXPECT_FALSE(blobs.add_record(in.segment, &first, 1, record));
    std::vector<std::uint16_t> seen;
    for (std::uint32_t i = first; i != 0; i = in.segment.page(i)->next) {
        const char* at = reinterpret_cast<const char*>(in.segment.page(i) + 1);
        EXPECT_LE(in.segment.page(i)->used, page_chain::record_bytes_max);
        for (std::uint32_t used = 0; used != in.segment.page(i)->used;) {
            allot_wire_record r;
            std::memcpy(&r, at + used, sizeof r);
            seen.push_back(r.bytes);
            EXPECT_EQ(std::string(at + used + 8, r.bytes - 8u),
                      std::string(r.bytes - 8u, static_cast<char>(r.bytes)));
            used += (r.bytes + 7u) & ~7u;
        }
    }
    EXPECT_EQ(seen, sizes);
}

TEST(page_chain, takes_returned_pages_first_and_cleans_them) {
    pages in(10, 10);
    *in.segment.page(7) = {3, 400, 9};
    *in.segment.page(3) = {0, 400, 9};
    in.header.page_next = 8;
    in.header.page_free = std::uint64_t{5} << 32 | 7;
    page_chain nodes{}, others{};
    std::uint32_t first = 0, other = 0;
    EXPECT_EQ(nodes.add_node(in.segment, &first, 1, {1, 0, 0}), 7u * ALLOT_WIRE_NODES_PER_PAGE + 1);
    EXPECT_EQ(in.segment.page(7)->next, 0u);
    EXPECT_EQ(in.segment.page(7)->used, 2u);
    EXPECT_EQ(others.add_node(in.segment, &other, 2, {1, 0, 0}), 3u * ALLOT_WIRE_NODES_PER_PAGE + 1);
    EXPECT_EQ(in.header.page_free, std::uint64_t{7} << 32);
    for (int i = 0; i != 511; ++i) nodes.add_node(in.segment, &first, 1, {1, 0, 0});
    EXPECT_EQ(in.segment.page(7)->next, 8u);
}

TEST(page_chain, gives_no_page_to_two_processes) {
    pages in(2000, 2000);
    const auto take = [&](page_chain& chain, std::uint32_t& first, std::uint64_t serial) {
        for (int i = 0; i != 511 * 400; ++i) chain.add_node(in.segment, &first, serial, {serial, 0, 0});
    };
    page_chain chains[3] = {};
    std::uint32_t firsts[3] = {};
    std::vector<std::thread> threads;
    for (std::uint64_t i = 0; i != 3; ++i)
        threads.emplace_back([&, i] { take(chains[i], firsts[i], i + 1); });
    for (auto& t : threads) t.join();
    std::set<std::uint32_t> pages_seen;
    for (std::uint64_t i = 0; i != 3; ++i)
        for (std::uint32_t p = firsts[i]; p != 0; p = in.segment.page(p)->next) {
            EXPECT_TRUE(pages_seen.insert(p).second);
            EXPECT_EQ(in.segment.page(p)->process_serial, i + 1);
            EXPECT_EQ(in.segment.node(p * ALLOT_WIRE_NODES_PER_PAGE + 1)->return_address, i + 1);
        }
    EXPECT_EQ(pages_seen.size(), 1200u);
}

} // namespace
} // namespace allot::recorder
