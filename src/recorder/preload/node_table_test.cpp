#include <recorder/preload/node_table.hpp>

#include <atomic>
#include <gtest/gtest.h>
#include <map>
#include <random>
#include <thread>
#include <vector>

namespace allot::recorder {
namespace {

TEST(node_table, finds_what_was_inserted) { // usage
    node_table nodes{};
    EXPECT_EQ(nodes.find(0x1000, 7), 0u);
    EXPECT_TRUE(nodes.insert(0x1000, 7, 512));
    EXPECT_EQ(nodes.find(0x1000, 7), 512u);
    EXPECT_EQ(nodes.find(0x1000, 8), 0u);
    EXPECT_EQ(nodes.find(0x1001, 7), 0u);
    EXPECT_EQ(nodes.size(), 1u);
}

TEST(node_table, forgets_and_is_used_again) {
    node_table nodes{};
    nodes.clear();
    for (std::uint32_t round = 1; round != 20; ++round) {
        for (std::uint32_t i = 0; i != 100 * round; ++i) ASSERT_TRUE(nodes.insert(i, round, i + 1));
        EXPECT_EQ(nodes.size(), 100u * round);
        EXPECT_EQ(nodes.find(5, round), 6u);
        EXPECT_EQ(nodes.find(5, round - 1), 0u);
        nodes.clear();
        EXPECT_EQ(nodes.find(5, round), 0u);
        EXPECT_EQ(nodes.size(), 0u);
    }
}

TEST(node_table, answers_as_a_map_does) { // model
    const auto seed = std::random_device{}();
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    node_table nodes{};
    std::map<std::pair<std::uint64_t, std::uint32_t>, std::uint32_t> model;
    for (std::uint32_t i = 1; i != 200'000; ++i) {
        const std::uint64_t address = 0x5555'0000'0000 + random() % 5000 * 5;
        const auto parent = static_cast<std::uint32_t>(random() % 200);
        const auto known = model.find({address, parent});
        ASSERT_EQ(nodes.find(address, parent), known == model.end() ? 0 : known->second);
        if (known == model.end()) {
            ASSERT_TRUE(nodes.insert(address, parent, i));
            model[{address, parent}] = i;
        }
        ASSERT_EQ(nodes.size(), model.size());
        if (random() % 50'000 == 0) nodes.clear(), model.clear();
    }
}

// A reader may miss what is new; it never gets the id of another pair, however often the table grows or is
// cleared.
TEST(node_table, never_gives_a_reader_a_wrong_id) {
    node_table nodes{};
    std::atomic<bool> stop = false;
    std::atomic<std::uint64_t> hits = 0, wrong = 0;
    const auto id_of = [](std::uint64_t address, std::uint32_t parent) {
        return static_cast<std::uint32_t>(address * 31 + parent * 7 + 1);
    };
    std::vector<std::thread> readers;
    for (int r = 0; r != 2; ++r)
        readers.emplace_back([&, r] {
            std::mt19937_64 random(static_cast<std::uint64_t>(r));
            while (!stop) {
                const std::uint64_t address = random() % 4000;
                const auto parent = static_cast<std::uint32_t>(random() % 4);
                if (const std::uint32_t id = nodes.find(address, parent)) {
                    ++hits;
                    wrong += id != id_of(address, parent);
                }
            }
        });
    while (hits < 20'000)
        for (std::uint32_t parent = 0; parent != 4; ++parent) {
            for (std::uint64_t address = 0; address != 4000; ++address)
                if (nodes.find(address, parent) == 0) nodes.insert(address, parent, id_of(address, parent));
            if (parent % 2 != 0) nodes.clear();
        }
    stop = true;
    for (auto& t : readers) t.join();
    EXPECT_EQ(wrong, 0u);
}

} // namespace
} // namespace allot::recorder
