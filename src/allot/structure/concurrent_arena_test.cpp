#include <allot/structure/concurrent_arena.hpp>

#include <gtest/gtest.h>

#include <allot/source/buffer_source.hpp>
#include <allot/source/default_source.hpp>
#include <allot/source/malloc_source.hpp>
#include <allot/source/synchronized_source.hpp>
#include <allot/testing/auditing_source.hpp>
#include <allot/testing/failing_source.hpp>
#include <allot/testing/for_each_failure.hpp>
#include <allot/testing/no_allocation.hpp>
#include <cstring>
#include <memory_resource>
#include <random>
#include <sys/resource.h>
#include <thread>
#include <vector>

#if ALLOT_HAS_ASAN
#    include <sanitizer/asan_interface.h>
#endif

namespace allot {
namespace {

// ---- usage

TEST(concurrent_arena, serves_threads_that_build_together) {
    concurrent_arena graph({.name = "graph", .limit_bytes = mebibytes(64)});
    std::vector<std::thread> builders;
    for (int i = 0; i < 4; ++i)
        builders.emplace_back([&graph] { std::pmr::vector<int> edges(1000, 7, &graph); });
    for (std::thread& each : builders) each.join();
    EXPECT_EQ(graph.usage().total_count, 4u);
    graph.reset(); // all chunks are kept
    EXPECT_GT(graph.usage().held_bytes, 0u);
    EXPECT_EQ(graph.usage().live_bytes, 0u);
    graph.check();
}

// ---- edges

TEST(concurrent_arena, gives_one_byte_for_a_size_of_zero_and_refuses_the_absurd) {
    concurrent_arena odd;
    void* const first = odd.allocate(0);
    EXPECT_NE(first, odd.allocate(layout{0, 1}));
    EXPECT_EQ(odd.usage().live_bytes, 2u);
    odd.deallocate(nullptr, 8);
    for (std::size_t less = 0; less < 100; ++less)
        for (const std::size_t align : {std::size_t{1}, std::size_t{16}, std::size_t{4096}})
            EXPECT_EQ(odd.try_allocate({static_cast<std::size_t>(-1) - less, align}), nullptr);
    EXPECT_EQ(odd.try_allocate({1, std::size_t{1} << 63}), nullptr);
    EXPECT_EQ(odd.usage().refused_count, 301u);
    odd.check();
}

TEST(concurrent_arena, aligns_to_every_power_of_two) {
    concurrent_arena aligned;
    for (const std::size_t size : {std::size_t{1}, std::size_t{100}, kibibytes(20)})
        for (std::size_t align = 1; align <= kibibytes(64); align *= 2) {
            void* const block = aligned.allocate(size, align);
            EXPECT_TRUE(is_aligned(block, align));
            std::memset(block, 1, size);
            aligned.check();
        }
}

TEST(concurrent_arena, takes_back_grows_and_shrinks_the_newest_block) {
    concurrent_arena row;
    memory_source& source = row;
    auto* const first = static_cast<std::byte*>(row.allocate(100));
    auto* const second = static_cast<std::byte*>(row.allocate(100));
    EXPECT_FALSE(source.try_resize(first, {100, 16}, 101));
    EXPECT_TRUE(source.try_resize(second, {100, 16}, 200));
    EXPECT_TRUE(source.try_resize(second, {200, 16}, 50));
    EXPECT_TRUE(source.try_resize(first, {100, 16}, 50));
    EXPECT_EQ(row.usage().live_bytes, 100u);
    row.deallocate(second, 50);
    EXPECT_EQ(row.allocate(10), second);
    row.deallocate(first, 50);
    EXPECT_NE(row.allocate(10), first);
    EXPECT_EQ(row.usage().live_count, 2u);
    EXPECT_EQ(row.usage().live_bytes, 20u);
    row.check();
}

TEST(concurrent_arena, forgets_all_and_keeps_what_it_is_told_to_keep) {
    auditing_source below(default_source());
    concurrent_arena kept({.upstream = &below, .retain_bytes_max = kibibytes(200)});
    for (int i = 0; i < 1000; ++i) (void)kept.allocate(1000);
    EXPECT_GE(kept.usage().held_bytes, 1'000'000u);
    kept.reset();
    EXPECT_LE(kept.usage().held_bytes, kibibytes(200));
    EXPECT_GT(kept.usage().held_bytes, 0u);
    EXPECT_EQ(kept.usage().peak_live_bytes, 1'000'000u);
    (void)kept.allocate(10);
    kept.release();
    EXPECT_EQ(kept.usage().held_bytes, 0u);
    EXPECT_EQ(below.live_bytes(), 64u); // this thread's cell
    EXPECT_NE(kept.allocate(10), nullptr);
    EXPECT_EQ(kept.reset_count(), 1u);
    kept.check();
}

TEST(concurrent_arena, marks_dead_bytes) {
    concurrent_arena marked;
    auto* const first = static_cast<unsigned char*>(marked.allocate(64));
    auto* const second = static_cast<unsigned char*>(marked.allocate(64));
    marked.deallocate(first, 64);
#if ALLOT_HAS_ASAN
    EXPECT_TRUE(__asan_address_is_poisoned(first));
    EXPECT_FALSE(__asan_address_is_poisoned(second));
    EXPECT_TRUE(__asan_address_is_poisoned(second + 64)); // the part's rest
    marked.reset();
    EXPECT_TRUE(__asan_address_is_poisoned(second));
#else
    if constexpr (checks == check_level::full) {
        EXPECT_EQ(first[8], 0xDD);
    }
    (void)second;
#endif
}

// ---- shortage

// The limit is exact: nothing is held beyond it, and a block is refused only where no part has room for it.
TEST(concurrent_arena, refuses_at_its_limit_and_not_before) {
    concurrent_arena full({.name = "full", .limit_bytes = kibibytes(512)});
    std::uint64_t served = 0;
    while (full.try_allocate({.size = 48})) {
        served += 48;
        ASSERT_LE(full.usage().held_bytes, kibibytes(512));
    }
    EXPECT_GT(served, kibibytes(512) * 9 / 10);
    EXPECT_EQ(last_refusal().who.view(), "full");
    EXPECT_THROW((void)full.allocate(50'000), out_of_memory);
    EXPECT_EQ(full.usage().refused_count, 2u);
    full.check();
}

TEST(concurrent_arena, survives_the_refusal_of_any_block) {
    const std::uint64_t points = for_each_failure([](failing_source& source) {
        concurrent_arena short_of({.upstream = &source, .chunk_bytes_min = 1024, .part_bytes_max = 1024});
        for (int round = 0; round < 2; ++round) {
            for (std::size_t i = 0; i < 100; ++i)
                if (void* const block = short_of.try_allocate({.size = i * 5 + 1}))
                    std::memset(block, 1, i * 5 + 1);
            short_of.check();
            short_of.release();
        }
        (void)short_of.allocate(2000);
    });
    EXPECT_GE(points, 10u);
}

// ---- books

TEST(concurrent_arena, takes_all_from_upstream_and_nothing_in_steady_state) {
    auditing_source below(default_source());
    {
        concurrent_arena books({.upstream = &below});
        const auto frame = [&books] {
            for (std::size_t i = 0; i < 1000; ++i) std::memset(books.allocate(i % 100 + 8), 1, 8);
            (void)books.allocate(kibibytes(40));
            books.reset();
        };
        for (int i = 0; i < 10; ++i) frame();
        const std::uint64_t blocks = below.usage().total_count;
        EXPECT_EQ(books.usage().held_bytes + 64, below.live_bytes());
        const no_allocation nothing_else;
        long fewest = -1;
        for (int window = 0; window < 5 && fewest != 0; ++window) {
            rusage before = {};
            rusage after = {};
            getrusage(RUSAGE_THREAD, &before);
            for (int i = 0; i < 1000; ++i) frame(); // a million allocations
            getrusage(RUSAGE_THREAD, &after);
            const long faults = after.ru_minflt - before.ru_minflt;
            fewest = fewest < 0 ? faults : std::min(fewest, faults);
        }
        EXPECT_EQ(fewest, 0);
        EXPECT_EQ(below.usage().total_count, blocks);
    }
    EXPECT_EQ(below.live_count(), 0u);
}

// ---- model

TEST(concurrent_arena, agrees_with_a_list_of_blocks) {
    const unsigned seed = std::random_device()();
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    concurrent_arena tested({.chunk_bytes_min = 2048, .part_bytes_max = 2048});
    struct block {
        unsigned char* address;
        std::size_t size;
        int seed;
    };
    std::vector<block> live;
    std::uint64_t bytes = 0;
    for (int step = 0; step < 30'000; ++step) {
        const auto kind = random() % 100;
        if (kind < 60) {
            const std::size_t size = 1 + random() % (random() % 20 == 0 ? 3000 : 200);
            const std::size_t align = std::size_t{1} << random() % 7;
            auto* const made = static_cast<unsigned char*>(tested.allocate(size, align));
            ASSERT_TRUE(is_aligned(made, align));
            live.push_back({made, size, static_cast<int>(random() % 256)});
            std::memset(made, live.back().seed, size);
            bytes += size;
        } else if (kind < 95 && !live.empty()) {
            const std::size_t which = random() % 3 == 0 ? live.size() - 1 : random() % live.size();
            std::swap(live[which], live.back());
            const block gone = live.back();
            live.pop_back();
            for (std::size_t i = 0; i < gone.size; ++i) ASSERT_EQ(gone.address[i], gone.seed);
            tested.deallocate(gone.address, gone.size, 1);
            bytes -= gone.size;
        } else if (random() % 40 == 0) {
            tested.reset();
            live.clear();
            bytes = 0;
        }
        ASSERT_EQ(tested.usage().live_bytes, bytes);
        ASSERT_EQ(tested.usage().live_count, live.size());
        if (step % 64 == 0) tested.check();
    }
}

} // namespace
} // namespace allot
