#include <allot/source/default_source.hpp>
#include <allot/structure/ready_pools.hpp>
#include <allot/testing/auditing_source.hpp>
#include <allot/testing/for_each_failure.hpp>
#include <allot/testing/no_allocation.hpp>

#include <gtest/gtest.h>

#include <array>
#include <random>
#include <unordered_map>

namespace allot {
namespace {

// Usage.

TEST(ready_pools, have_strings_byte_vectors_and_hash_maps) {
    ready_pools pools;
    pooled<std::string> line = pools.strings.acquire();
    EXPECT_TRUE(line->empty() && line->capacity() >= 256);
    pooled<std::vector<std::byte>> packet = pools.byte_vectors.acquire();
    EXPECT_TRUE(packet->capacity() >= 1024);
    hash_map_pool<int, int> maps;
    pooled<hash_map<int, int>> counts = maps.acquire();
    (*counts)[7] = 1;
    EXPECT_TRUE(counts->bucket_count() >= 32);
}

// Edges.

TEST(ready_pools, keep_so_many_and_no_more) {
    string_pool strings;
    byte_vector_pool vectors;
    {
        std::vector<pooled<std::string>> out;
        std::vector<pooled<std::vector<std::byte>>> packets;
        for (int i = 0; i != 1100; ++i) out.push_back(strings.acquire());
        for (int i = 0; i != 600; ++i) packets.push_back(vectors.acquire());
    }
    EXPECT_EQ(strings.counts().kept, 1000);
    EXPECT_EQ(strings.counts().discarded, 100);
    EXPECT_EQ(vectors.counts().kept, 500);
    EXPECT_EQ(strings.name(), name("strings"));
}

TEST(ready_pools, discard_what_grew_too_much_or_was_moved_away) { // B22, B23, B31
    string_pool strings;
    const auto discarded_by = [&](auto&& use) {
        const std::uint64_t before = strings.counts().discarded;
        use(*strings.acquire());
        return strings.counts().discarded - before;
    };
    EXPECT_EQ(discarded_by([](std::string& text) { text = "a"; }), 0);
    EXPECT_EQ(discarded_by([](std::string& text) { text.assign(1024, 'x'); }), 0);
    EXPECT_EQ(discarded_by([](std::string& text) { text.assign(100'000'000, 'x'); }), 1);
    EXPECT_EQ(discarded_by([](std::string& text) { const std::string away = std::move(text); }), 1);
    EXPECT_GE(strings.acquire()->capacity(), 256);
    string_pool of_any_size(string_pool::defaults, 0); // a hint of 0 serves small ones all the same
    for (int i = 0; i != 100; ++i) of_any_size.acquire()->clear();
    EXPECT_EQ(of_any_size.counts().created, 1);
    hash_map_pool<int, int> maps;
    for (int i = 0; i != 1000; ++i) (*maps.acquire())[i] = i;
    EXPECT_EQ(maps.counts().created, 1);
    {
        const pooled<hash_map<int, int>> large = maps.acquire();
        for (int i = 0; i != 1000; ++i) (*large)[i] = i;
    }
    EXPECT_EQ(maps.counts().discarded, 1);
    EXPECT_TRUE(maps.acquire()->empty());
}

TEST(ready_pools, trim_themselves_when_less_is_needed) {
    string_pool strings;
    {
        std::vector<pooled<std::string>> out;
        for (int i = 0; i != 500; ++i) out.push_back(strings.acquire());
    }
    EXPECT_EQ(strings.counts().kept, 500);
    for (int i = 0; i != 100'000; ++i) *strings.acquire() = "a line";
    EXPECT_LT(strings.counts().kept, 3);
    EXPECT_GE(strings.counts().hit_rate(), 0.95);
    strings.check();
}

// Shortage.

TEST(ready_pools, survive_every_refusal_below_a_hash_map) {
    const std::uint64_t points = for_each_failure([](failing_source& source) {
        object_pool_options how = hash_map_pool<int, int>::defaults;
        how.upstream = &source;
        hash_map_pool<int, int> maps(how);
        const pooled<hash_map<int, int>> map = maps.acquire();
        for (int i = 0; i != 500; ++i) (*map)[i] = i;
    });
    EXPECT_GT(points, 5);
}

// Books.

TEST(ready_pools, allocate_nothing_in_steady_state) { // B28, B30, B31
    auditing_source upstream(default_source());
    {
        ready_pools pools;
        object_pool_options how = hash_map_pool<int, int>::defaults;
        how.upstream = &upstream;
        hash_map_pool<int, int> maps(how);
        const auto task = [&](int number) {
            pools.strings.acquire()->append(200, 'x');
            pools.byte_vectors.acquire()->resize(1000);
            const pooled<hash_map<int, int>> map = maps.acquire();
            for (int i = 0; i != 32; ++i) (*map)[number + i * 7] = i;
        };
        task(0);
        const std::uint64_t blocks = upstream.usage().total_count;
        no_allocation scope;
        for (int i = 0; i != 20'000; ++i) task(i);
        EXPECT_EQ(upstream.usage().total_count, blocks);
        EXPECT_GE(maps.counts().hit_rate(), 0.95);
        EXPECT_EQ(maps.node_usage().live_count, 0);
        EXPECT_GT(maps.trim(), 0);
        EXPECT_EQ(upstream.live_bytes(), 0);
    }
    EXPECT_EQ(upstream.live_count(), 0);
}

// Model.

TEST(ready_pools, give_maps_that_do_what_fresh_ones_do) {
    const unsigned seed = std::random_device{}();
    SCOPED_TRACE(::testing::Message() << "seed " << seed);
    std::mt19937 random(seed);
    hash_map_pool<std::uint32_t, std::uint32_t> maps;
    for (int task = 0; task != 500; ++task) {
        const auto map = maps.acquire();
        std::unordered_map<std::uint32_t, std::uint32_t> fresh;
        for (auto left = random() % 200; left != 0; --left) {
            const auto key = static_cast<std::uint32_t>(random() % 100);
            if (random() % 3 == 0) {
                ASSERT_EQ(map->erase(key), fresh.erase(key));
            } else {
                (*map)[key] += key + 1;
                fresh[key] += key + 1;
            }
        }
        ASSERT_EQ(map->size(), fresh.size());
        for (const auto& [key, value] : fresh) ASSERT_EQ(map->at(key), value);
        maps.check();
    }
}

} // namespace
} // namespace allot
