#include <allot/governance/listed_source.hpp>

#include <allot/source/default_source.hpp>
#include <allot/source/page_source.hpp>
#include <allot/testing/auditing_source.hpp>
#include <allot/testing/for_each_failure.hpp>
#include <allot/testing/no_allocation.hpp>
#include <cstring>
#include <gtest/gtest.h>
#include <memory_resource>
#include <random>
#include <thread>
#include <vector>

namespace allot {
namespace {

TEST(listed_source, usage) {
    memory_source& source = default_source();

    listed_source parser({.name = "parser", .upstream = &source});
    void* block = parser.allocate(layout{.size = 100});
    EXPECT_TRUE(listed_source::owner_of(block) == &parser);
    EXPECT_TRUE(parser.give_back_all() == 1);
}

TEST(listed_source, serves_every_alignment_and_refuses_what_a_header_cannot_say) {
    auditing_source audited(default_source());
    listed_source source({.upstream = &audited});
    for (std::size_t align = 1; align <= kibibytes(64); align *= 2) {
        void* const block = source.try_allocate({.size = 3, .align = align});
        EXPECT_TRUE(is_aligned(block, align));
        std::memset(block, 1, 3);
        void* const moved = source.try_reallocate(block, {.size = 3, .align = align}, 1000);
        EXPECT_TRUE(is_aligned(moved, align));
        if (align % 3 != 0 && align > 256) source.deallocate(moved, {.size = 1000, .align = align});
    }
    EXPECT_EQ(source.give_back_all(), 9u);
    EXPECT_EQ(source.give_back_all(), 0u);
    EXPECT_FALSE(source.try_allocate({.size = std::size_t{1} << 50}));
    EXPECT_EQ(source.describe().usage.refused_count, 1u);
    EXPECT_TRUE(source.traits().bulk_free);
    EXPECT_EQ(audited.live_count(), 0u);
}

TEST(listed_source, leaves_nothing_behind_on_a_shortage) {
    for_each_failure([](failing_source& failing) {
        listed_source source({.upstream = &failing});
        std::pmr::vector<int> numbers(&source);
        for (int i = 0; i < 100; ++i) numbers.push_back(i);
        void* const block = source.try_allocate({.size = 100});
        if (block)
            static_cast<void>(source.try_reallocate(block, {.size = 100}, 200)); // goes with the source
    });
}

TEST(listed_source, takes_from_upstream_alone) {
    auditing_source audited(default_source());
    listed_source source({.upstream = &audited});
    static_cast<void>(source.try_allocate({.size = 1}));
    const no_allocation nothing;
    for (int i = 0; i < 100; ++i) static_cast<void>(source.try_allocate({.size = 100}));
    EXPECT_EQ(audited.live_bytes(), 100 * 132u + 33u); // 32 bytes per block
}

TEST(listed_source, dies_of_a_foreign_block_a_second_free_and_a_wrong_size) {
    listed_source x({.name = "x"});
    listed_source y({.name = "y"});
    void* const block = x.try_allocate({.size = 100});
    EXPECT_DEATH(y.deallocate(block, {.size = 100}),
                 "allot: fatal: listed_source 'y': block 0x[0-9a-f]+ of 100 bytes belongs to 'x'");
    EXPECT_DEATH(x.deallocate(block, {.size = 99}),
                 "allot: fatal: listed_source 'x': block 0x[0-9a-f]+ of 99 bytes is not a live block");
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) // which see the second free first
    EXPECT_DEATH(
        {
            x.deallocate(block, {.size = 100});
            x.deallocate(block, {.size = 100});
        },
        "allot: fatal: listed_source 'x': block 0x[0-9a-f]+ of 100 bytes is not a live block");
#endif
}

TEST(listed_source, model_keeps_bytes_and_lists_over_threads) {
    const unsigned seed = std::random_device{}();
    SCOPED_TRACE("seed " + std::to_string(seed));
    auditing_source audited(default_source());
    listed_source source({.upstream = &audited});
    std::vector<std::vector<block>> kept(4);
    const auto work = [&](unsigned self, std::vector<block>& mine, bool only_free) {
        std::mt19937 random(seed + self);
        for (int step = 0; step < 2000 && !(only_free && mine.empty()); ++step) {
            const std::size_t size = 1 + random() % 300;
            if (!only_free && (random() % 3 != 0 || mine.empty())) {
                mine.push_back({source.try_allocate({.size = size}), size});
                std::memset(mine.back().address, static_cast<int>(size & 0xff), size);
                continue;
            }
            std::swap(mine[random() % mine.size()], mine.back());
            block& one = mine.back();
            const auto* const bytes = static_cast<const unsigned char*>(one.address);
            ASSERT_TRUE(bytes[0] == (one.size & 0xff) && bytes[one.size - 1] == (one.size & 0xff));
            if (random() % 4 == 0) {
                one.address = source.try_reallocate(one.address, {.size = one.size}, size);
                one.size = size;
                std::memset(one.address, static_cast<int>(size & 0xff), size);
            } else {
                source.deallocate(one.address, {.size = one.size});
                mine.pop_back();
            }
        }
    };
    for (const bool only_free : {false, true}) {
        std::vector<std::thread> threads;
        for (unsigned i = 0; i < 4; ++i) // the second time another thread's
            threads.emplace_back([&, i] { work(i, kept[(i + only_free) % 4], only_free); });
        for (std::thread& each : threads) each.join();
    }
    std::size_t left = 0;
    for (const auto& list : kept) left += list.size();
    EXPECT_EQ(audited.live_count(), left);
    EXPECT_EQ(source.give_back_all(), left);
}

} // namespace
} // namespace allot
