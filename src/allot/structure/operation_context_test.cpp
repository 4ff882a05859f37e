#include <allot/structure/operation_context.hpp>

#include <gtest/gtest.h>

#include <allot/source/default_source.hpp>
#include <allot/source/null_source.hpp>
#include <allot/testing/auditing_source.hpp>
#include <allot/testing/failing_source.hpp>
#include <allot/testing/for_each_failure.hpp>
#include <allot/testing/no_allocation.hpp>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <memory_resource>
#include <random>
#include <string>
#include <vector>

namespace allot {
namespace {

void brighten(operation_context& caller) {
    operation_context own({.name = "brighten"}, caller);
    std::pmr::vector<int> row(1000, 7, &own);
} // row's bytes are gone; the caller's are not

// ---- usage

TEST(operation_context, ends_an_operation_and_not_its_caller) {
    arena frame;
    operation_context render({.name = "render", .from = &frame}); // without .from: from default_source()
    void* kept = render.allocate(100);
    brighten(render);
    EXPECT_TRUE(render.usage().live_count == 1 && frame.owns(kept));
    render.reset(); // ready for the next operation
    EXPECT_EQ(render.usage().live_count, 0u);
    EXPECT_EQ(frame.usage().live_count, 0u);
    EXPECT_EQ(render.fallback_usage().total_count, 0u);
}

// ---- edges

// B14: without an arena, too, the operation's memory goes at its end, and nobody need give it back.
TEST(operation_context, frees_what_the_main_allocator_gave_when_there_is_no_arena) {
    auditing_source below(default_source()); // fatal when a block is left
    {
        operation_context bare({.name = "bare", .upstream = &below});
        EXPECT_FALSE(bare.has_arena());
        for (std::size_t i = 1; i < 200; ++i) std::memset(bare.allocate(i), 1, i);
        bare.check();
        EXPECT_EQ(bare.fallback_usage().live_count, 199u);
        EXPECT_EQ(below.live_count(), 199u);
        bare.reset();
        EXPECT_EQ(below.live_count(), 0u);
        (void)bare.allocate(7);
    }
    EXPECT_EQ(below.live_count(), 0u);
}

// B14: a nested primitive that ends, or resets itself, leaves its caller's memory alone; with an arena and without.
TEST(operation_context, leaves_the_callers_memory_alone) {
    arena frame({.chunk_bytes_min = 512});
    for (arena* const from : {static_cast<arena*>(nullptr), &frame}) {
        operation_context outer({.from = from});
        std::pmr::string first("a text of the caller, of more bytes than a string holds", &outer);
        {
            operation_context inner({}, outer);
            EXPECT_EQ(inner.has_arena(), from != nullptr);
            std::memset(inner.allocate(3000), 1, 3000);
            // The caller's text grows while the callee is open: that must not end with the callee.
            first.append(std::string(2000, 'x'));
            std::memset(inner.allocate(3000), 1, 3000);
            inner.reset();
            std::memset(inner.allocate(5000), 2, 5000);
        }
        EXPECT_EQ(first.size(), 2055u);
        EXPECT_TRUE(first.starts_with("a text of the caller"));
        EXPECT_TRUE(first.ends_with(std::string(2000, 'x')));
        outer.check();
        frame.check();
    }
}

TEST(operation_context, falls_back_and_counts_it_when_the_arena_is_full) {
    auditing_source below(default_source());
    arena small({.name = "small", .limit_bytes = 4096});
    {
        operation_context work({.from = &small, .upstream = &below});
        std::vector<void*> blocks;
        for (int i = 0; i < 20; ++i) blocks.push_back(work.allocate(1000));
        EXPECT_EQ(small.usage().live_count, 3u);
        EXPECT_EQ(work.fallback_usage().live_count, 17u);
        EXPECT_EQ(work.usage().live_bytes, 20'000u);
        EXPECT_GT(work.fallback_usage().held_bytes, 17'000u);
        work.deallocate(blocks[19], layout{.size = 1000}); // singly, of either kind
        work.deallocate(blocks[1], layout{.size = 1000});
        work.deallocate(blocks[10], layout{.size = 1000});
        EXPECT_EQ(work.usage().live_count, 17u);
        EXPECT_EQ(work.fallback_usage().live_count, 15u);
        work.check();
    }
    EXPECT_EQ(small.usage().live_count, 0u);
    EXPECT_EQ(below.live_count(), 0u);
}

TEST(operation_context, aligns_and_resizes_blocks_of_the_main_allocator) {
    operation_context bare;
    for (std::size_t align = 1; align <= kibibytes(64); align *= 2) {
        auto* const block = static_cast<std::byte*>(bare.allocate(10, align));
        EXPECT_TRUE(is_aligned(block, align));
        std::memset(block, 1, 10);
        memory_source& source = bare;
        auto* const larger = static_cast<std::byte*>(source.try_reallocate(block, {10, align}, 5000));
        ASSERT_NE(larger, nullptr);
        EXPECT_TRUE(is_aligned(larger, align));
        EXPECT_EQ(larger[9], std::byte(1));
        bare.check();
        if (align % 4 == 0) source.deallocate(larger, {5000, align});
    }
    EXPECT_EQ(bare.try_allocate({.size = static_cast<std::size_t>(-1) / 2, .align = 1}), nullptr);
    EXPECT_EQ(bare.try_allocate({.size = 1, .align = std::size_t{1} << 62}), nullptr);
    EXPECT_EQ(bare.usage().refused_count, 2u);
    bare.check();
}

TEST(operation_context, may_use_another_arena_than_its_caller) {
    arena one;
    arena two;
    operation_context outer({.from = &one});
    operation_context inner({.from = &two}, outer);
    EXPECT_TRUE(two.owns(inner.allocate(10)));
    EXPECT_TRUE(one.owns(outer.allocate(10))); // nobody else is on its arena
}

// ---- shortage

TEST(operation_context, survives_the_refusal_of_any_block) {
    const std::uint64_t points = for_each_failure([](failing_source& source) {
        arena frame({.upstream = &source, .chunk_bytes_min = 512, .limit_bytes = 2048});
        operation_context outer({.from = &frame, .upstream = &source});
        for (int round = 0; round < 2; ++round) {
            for (int i = 0; i < 8; ++i) (void)outer.try_allocate({.size = 400});
            operation_context inner({}, outer);
            (void)inner.try_allocate({.size = 400});
            (void)outer.try_allocate({.size = 400});
            inner.check();
            outer.check();
        }
        outer.reset();
        (void)outer.allocate(5000);
    });
    EXPECT_GE(points, 10u);
}

// ---- books

TEST(operation_context, takes_nothing_from_elsewhere_and_nothing_new_in_steady_state) {
    auditing_source below(default_source());
    null_source nothing;
    {
        arena frame({.upstream = &below});
        operation_context work({.from = &frame, .upstream = &nothing});
        const auto operation = [&work] {
            for (std::size_t i = 0; i < 100; ++i) (void)work.allocate(i + 1);
            operation_context inner({}, work);
            for (std::size_t i = 0; i < 100; ++i) (void)inner.allocate(i + 1);
        };
        operation();
        work.reset();
        const std::uint64_t blocks = below.usage().total_count;
        const no_allocation nothing_else;
        for (int i = 0; i < 5000; ++i) { // a million allocations
            operation();
            work.reset();
        }
        EXPECT_EQ(below.usage().total_count, blocks);
        EXPECT_EQ(work.reset_count(), 5001u);
        EXPECT_EQ(work.usage().total_count, 500'100u);
        EXPECT_EQ(work.describe().upstream, &frame);
    }
    EXPECT_EQ(below.live_count(), 0u);
}

// ---- model

// A random tree of operations, half of them in an arena that is often full; each checks its blocks to its end.
TEST(operation_context, agrees_with_a_map_over_a_random_tree_of_operations) {
    const unsigned seed = std::random_device()();
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    auditing_source below(default_source());
    {
        arena frame({.upstream = &below, .chunk_bytes_min = 512, .limit_bytes = kibibytes(16)});
        struct truth {
            std::size_t size;
            int seed;
        };
        using blocks = std::map<unsigned char*, truth>;
        const auto verify = [](const blocks& all, const operation_context& in) {
            std::uint64_t bytes = 0;
            for (const auto& [address, it] : all) {
                bytes += it.size;
                ASSERT_EQ(address[0], it.seed);
                ASSERT_EQ(address[it.size - 1], it.seed);
            }
            ASSERT_EQ(in.usage().live_bytes, bytes);
            ASSERT_EQ(in.usage().live_count, all.size());
            in.check();
        };
        std::function<void(operation_context&, blocks&, int)> operate = [&](operation_context& own,
                                                                            blocks& mine, int depth) {
            for (auto steps = random() % 20; steps != 0; --steps) {
                const auto kind = random() % 10;
                if (kind < 5) {
                    const truth it{1 + random() % 900, static_cast<int>(random() % 256)};
                    auto* const address = static_cast<unsigned char*>(own.allocate(it.size, 8));
                    std::memset(address, it.seed, it.size);
                    mine.emplace(address, it);
                } else if (kind < 7 && !mine.empty()) {
                    const auto any = std::next(mine.begin(), static_cast<long>(random() % mine.size()));
                    own.deallocate(any->first, layout{any->second.size, 8});
                    mine.erase(any);
                } else if (kind < 8 && !mine.empty()) {
                    auto& [address, it] = *mine.begin();
                    const std::size_t size = 1 + random() % 900;
                    if (own.try_resize(address, {it.size, 8}, size)) {
                        it.size = size;
                        std::memset(address, it.seed, size);
                    }
                } else if (depth != 0) {
                    operation_context callee({}, own);
                    blocks of_callee;
                    operate(callee, of_callee, depth - 1);
                    auto* const address = static_cast<unsigned char*>(own.allocate(50, 8));
                    std::memset(address, 9, 50);
                    mine.emplace(address, truth{50, 9});
                    verify(of_callee, callee);
                    if (random() % 2 == 0) {
                        callee.reset();
                        of_callee.clear();
                        operate(callee, of_callee, depth - 1);
                    }
                }
                verify(mine, own);
            }
        };
        for (int i = 0; i < 60; ++i) {
            operation_context top({.from = i % 2 == 0 ? &frame : nullptr, .upstream = &below});
            blocks mine;
            operate(top, mine, 5);
        }
        EXPECT_EQ(frame.usage().live_count, 0u);
    }
    EXPECT_EQ(below.live_count(), 0u);
}

} // namespace
} // namespace allot
