#include <allot/structure/reap.hpp>

#include <gtest/gtest.h>

#include <allot/source/default_source.hpp>
#include <allot/testing/auditing_source.hpp>
#include <allot/testing/failing_source.hpp>
#include <allot/testing/for_each_failure.hpp>
#include <allot/testing/no_allocation.hpp>
#include <cstring>
#include <random>
#include <vector>

#if ALLOT_HAS_ASAN
#    include <sanitizer/asan_interface.h>
#endif

namespace allot {
namespace {

// ---- usage

TEST(reap, uses_the_room_of_a_block_again) {
    reap tree({.name = "tree"});
    void* first = tree.allocate(40);
    (void)tree.allocate(100);
    tree.deallocate(first, 40);
    EXPECT_TRUE(tree.allocate(48) == first); // of the same 48 bytes
    tree.reset();                            // all is dead, the chunks are kept
    EXPECT_EQ(tree.usage().live_bytes, 0u);
    EXPECT_GT(tree.usage().held_bytes, 0u);
}

// ---- edges

TEST(reap, serves_sizes_and_alignments_at_the_edges_of_its_lists) {
    reap edges;
    for (const std::size_t size : {0, 1, 15, 16, 17, 511, 512, 513, 5000})
        for (const std::size_t align : {1, 16, 32, 4096}) {
            void* const block = edges.allocate(size, align);
            EXPECT_TRUE(is_aligned(block, align));
            std::memset(block, 1, size);
            edges.deallocate(block, size, align);
            edges.check();
        }
    edges.deallocate(nullptr, 8);
    EXPECT_EQ(edges.usage().live_bytes, 0u);
    EXPECT_EQ(edges.usage().live_count, 0u);
    EXPECT_EQ(edges.try_allocate({static_cast<std::size_t>(-1), 1}), nullptr);
    edges.release();
    EXPECT_EQ(edges.usage().held_bytes, 0u);
    EXPECT_EQ(edges.usage().free_bytes, 0u);
}

TEST(reap, marks_blocks_that_wait_as_dead) {
    reap marked;
    auto* const block = static_cast<unsigned char*>(marked.allocate(64));
    marked.deallocate(block, 64);
#if ALLOT_HAS_ASAN
    EXPECT_TRUE(__asan_address_is_poisoned(block));
    EXPECT_TRUE(__asan_address_is_poisoned(block + 40));
    EXPECT_EQ(marked.allocate(50), block);
    EXPECT_FALSE(__asan_address_is_poisoned(block + 49));
    EXPECT_TRUE(__asan_address_is_poisoned(block + 56)); // rounded up, but not asked for
#else
    if constexpr (checks == check_level::full) {
        EXPECT_EQ(block[40], 0xDD);
    }
#endif
}

// ---- shortage

TEST(reap, survives_the_refusal_of_any_chunk) {
    const std::uint64_t points = for_each_failure([](failing_source& source) {
        reap short_of({.upstream = &source, .chunk_bytes_min = 512, .chunk_bytes_max = 1024});
        for (std::size_t i = 1; i < 60; ++i) {
            void* const block = short_of.try_allocate({i * 10, 8});
            if (block && i % 3 == 0) short_of.deallocate(block, layout{i * 10, 8});
            short_of.check();
        }
        (void)short_of.allocate(5000);
    });
    EXPECT_GE(points, 5u);
}

// ---- books

TEST(reap, takes_nothing_in_steady_state_though_blocks_come_and_go) {
    auditing_source below(default_source());
    {
        reap books({.upstream = &below});
        std::vector<void*> live(1000);
        for (std::size_t i = 0; i < live.size(); ++i) live[i] = books.allocate(8 + i % 500);
        const std::uint64_t blocks = below.usage().total_count;
        const no_allocation nothing_else;
        for (int round = 0; round < 1000; ++round) // a million
            for (std::size_t i = 0; i < live.size(); ++i) {
                books.deallocate(live[i], 8 + i % 500);
                live[i] = books.allocate(8 + i % 500);
            }
        EXPECT_EQ(below.usage().total_count, blocks);
        EXPECT_EQ(books.usage().live_count, live.size());
        EXPECT_EQ(books.usage().held_bytes, below.live_bytes());
    }
    EXPECT_EQ(below.live_count(), 0u);
}

// ---- model

TEST(reap, agrees_with_a_list_of_blocks) {
    const unsigned seed = std::random_device()();
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    reap tested({.chunk_bytes_min = 2048});
    struct block {
        unsigned char* address;
        std::size_t size;
        int seed;
    };
    std::vector<block> live;
    std::uint64_t bytes = 0;
    for (int step = 0; step < 30'000; ++step) {
        const auto kind = random() % 100;
        if (kind < 52) {
            const std::size_t size = 1 + random() % (random() % 20 == 0 ? 2000 : 200);
            const std::size_t align = std::size_t{1} << random() % 6;
            auto* const made = static_cast<unsigned char*>(tested.allocate(size, align));
            ASSERT_TRUE(is_aligned(made, align));
            live.push_back({made, size, static_cast<int>(random() % 256)});
            std::memset(made, live.back().seed, size);
            bytes += size;
            live.back().size |= align << 32; // kept with it
        } else if (kind < 99 && !live.empty()) {
            std::swap(live[random() % live.size()], live.back());
            const std::size_t size = live.back().size & 0xffffffff;
            for (std::size_t i = 0; i < size; ++i) ASSERT_EQ(live.back().address[i], live.back().seed);
            tested.deallocate(live.back().address, size, live.back().size >> 32);
            live.pop_back();
            bytes -= size;
        } else if (random() % 20 == 0) {
            tested.reset();
            live.clear();
            bytes = 0;
        }
        ASSERT_EQ(tested.usage().live_bytes, bytes);
        ASSERT_EQ(tested.usage().live_count, live.size());
        if (step % 256 == 0) tested.check();
    }
}

} // namespace
} // namespace allot
