#include <recorder/collector/live_table.hpp>

#include <gtest/gtest.h>
#include <map>
#include <random>

namespace allot::recorder {
namespace {

TEST(live_table, finds_what_was_filled_until_it_is_erased) { // the header's example
    live_table table;
    live_table::place at = table.reserve(0x5555'0010);
    ASSERT_TRUE(at);
    table.fill(at, {.size = 24, .row = 7, .thread = 1});
    EXPECT_EQ(table.find(0x5555'0010).block().size, 24u);
    table.erase(table.find(0x5555'0010));
    EXPECT_FALSE(table.find(0x5555'0010));
    EXPECT_EQ(table.count(), 0u);
}

TEST(live_table, knows_the_edges_of_pages_regions_and_the_address_space) {
    live_table table;
    const std::uint64_t edges[] = {0,
                                   8,
                                   16,
                                   4080,
                                   4088,
                                   4096,
                                   0xffff'fff8,
                                   0xffff'fff0,
                                   1ull << 32,
                                   (1ull << 32) + 8,
                                   (1ull << 47) - 8,
                                   (1ull << 47) - 16,
                                   (1ull << 47) - 4096};
    std::uint32_t number = 0;
    for (std::uint64_t address : edges) {
        auto at = table.reserve(address);
        ASSERT_TRUE(at);
        ASSERT_FALSE(at.live()) << std::hex << address;
        table.fill(at, {.size = address, .row = number++, .thread = 9});
    }
    number = 0;
    for (std::uint64_t address : edges) {
        ASSERT_TRUE(table.find(address));
        EXPECT_EQ(table.find(address).block().size, address);
        EXPECT_EQ(table.find(address).block().row, number++);
    }
    EXPECT_TRUE(table.check());
    for (std::uint64_t outside : {1ull << 47, ~0ull, ~0ull - 7}) {
        EXPECT_FALSE(table.find(outside));
        EXPECT_FALSE(table.reserve(outside));
    }
}

TEST(live_table, keeps_blocks_of_size_zero_apart_from_none) {
    live_table table;
    table.fill(table.reserve(64), {.size = 0, .row = 0, .thread = 0});
    ASSERT_TRUE(table.find(64));
    EXPECT_EQ(table.find(64).block().size, 0u);
}

TEST(live_table, uses_emptied_pages_again) {
    live_table table;
    for (std::uint64_t address = 1 << 20; address < 1u << 30; address += 1 << 16) {
        table.fill(table.reserve(address), {.size = 1, .row = 1, .thread = 1});
        table.erase(table.find(address));
    }
    EXPECT_LT(table.memory_bytes(), 8192u);
}

TEST(live_table, behaves_like_a_map_under_random_use) {
    const unsigned seed = std::random_device{}();
    RecordProperty("seed", std::to_string(seed));
    std::mt19937_64 random(seed);
    live_table table;
    std::map<std::uint64_t, live_block> naive;
    for (int step = 0; step < 200'000; ++step) {
        // Few addresses in few places, so that they meet; both planes.
        const std::uint64_t address = (random() % 3 * 0x2345'6000'0000) + random() % 4096 * 8;
        auto at = table.find(address);
        auto known = naive.find(address);
        ASSERT_EQ(static_cast<bool>(at), known != naive.end()) << "seed " << seed;
        if (at) {
            ASSERT_EQ(at.block().size, known->second.size) << "seed " << seed;
            ASSERT_EQ(at.block().row, known->second.row) << "seed " << seed;
            table.erase(at);
            naive.erase(known);
        } else {
            const live_block block{
                .size = random() >> 1, .row = static_cast<std::uint32_t>(random()), .thread = 3};
            table.fill(table.reserve(address), block);
            naive.emplace(address, block);
        }
    }
    EXPECT_TRUE(table.check()) << "seed " << seed;
    std::size_t seen = 0;
    table.for_each([&](std::uint64_t address, const live_block& block) {
        ++seen;
        ASSERT_TRUE(naive.contains(address));
        ASSERT_EQ(naive[address].size, block.size);
    });
    EXPECT_EQ(seen, naive.size());
    EXPECT_EQ(table.count(), naive.size());
    table.clear();
    EXPECT_EQ(table.count(), 0u);
    EXPECT_FALSE(table.find(naive.begin()->first));
}

} // namespace
} // namespace allot::recorder
