#include <allot/source/default_source.hpp>
#include <allot/structure/lazy_buffer.hpp>
#include <allot/testing/auditing_source.hpp>
#include <allot/testing/failing_source.hpp>
#include <allot/testing/for_each_failure.hpp>
#include <allot/testing/no_allocation.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <barrier>
#include <thread>
#include <vector>

namespace allot {
namespace {

// Usage.

TEST(lazy_buffer, takes_its_block_at_the_first_use) {
    lazy_buffer table({.bytes = {.size = mebibytes(1), .align = 64}, .zeroed = true});
    EXPECT_TRUE(!table.is_made());
    std::byte* first = table.get(); // made here, by whichever thread comes first
    EXPECT_TRUE(table.get() == first && table.size() == mebibytes(1));
    EXPECT_TRUE(is_aligned(first, 64));
    EXPECT_TRUE(std::ranges::all_of(table.bytes(), [](std::byte each) { return each == std::byte{0}; }));
}

// Edges.

TEST(lazy_buffer, takes_nothing_when_it_is_never_used) {
    auditing_source upstream(default_source());
    lazy_buffer unused({.bytes = {.size = 100, .align = 16}, .source = &upstream});
    unused.release();
    EXPECT_EQ(upstream.usage().total_count, 0);
}

TEST(lazy_buffer, holds_one_byte_when_it_was_made_for_none) {
    lazy_buffer none({.bytes = {.size = 0, .align = 1}});
    EXPECT_NE(none.get(), nullptr);
    EXPECT_EQ(none.size(), 1);
}

TEST(lazy_buffer, makes_another_block_after_a_release) {
    auditing_source upstream(default_source());
    lazy_buffer twice({.bytes = {.size = 100, .align = 4096}, .source = &upstream, .zeroed = true});
    std::fill_n(twice.get(), 100, std::byte{1});
    twice.release();
    EXPECT_FALSE(twice.is_made());
    EXPECT_EQ(upstream.live_count(), 0);
    EXPECT_TRUE(is_aligned(twice.get(), 4096));
    EXPECT_EQ(twice.bytes()[99], std::byte{0});
    EXPECT_EQ(upstream.usage().total_count, 2);
}

// Shortage.

TEST(lazy_buffer, stays_unmade_when_the_first_use_is_refused) { // B75
    const std::uint64_t points = for_each_failure([](failing_source& source) {
        lazy_buffer table({.bytes = {.size = 100, .align = 16}, .source = &source});
        std::byte* made = table.try_get();
        EXPECT_EQ(table.is_made(), made != nullptr);
        if (!made) made = table.try_get(); // the next tries again
        EXPECT_NE(made, nullptr);
    });
    EXPECT_EQ(points, 1);
    failing_source none(default_source(), {.plan = {.at = 1, .lasting = true}});
    lazy_buffer never({.bytes = {.size = 100, .align = 16}, .source = &none});
    EXPECT_THROW((void)never.get(), out_of_memory);
    EXPECT_THROW((void)never.bytes(), out_of_memory);
    EXPECT_FALSE(never.is_made());
}

// Books.

TEST(lazy_buffer, gives_its_block_back_with_its_layout) {
    auditing_source upstream(default_source());
    {
        lazy_buffer table({.bytes = {.size = 100, .align = 32}, .source = &upstream});
        {
            const no_allocation scope({.on_finding = on_finding::collect});
            EXPECT_FALSE(table.is_made());
            EXPECT_EQ(scope.count(), 0);
        }
        (void)table.get();
        const no_allocation scope; // made already
        (void)table.get();
        EXPECT_EQ(upstream.live_bytes(), 100);
    }
    EXPECT_EQ(upstream.live_count(), 0);
}

// Race.

TEST(lazy_buffer, is_made_once_when_eight_threads_come_first) { // B75
    constexpr int thread_count = 8;
    for (int round = 0; round != 200; ++round) {
        // The first request is refused to whoever makes it: the others must still find one block.
        failing_source upstream(default_source(), {.plan = {.at = round % 2 ? 1u : 0u}});
        lazy_buffer table({.bytes = {.size = 4096, .align = 64}, .source = &upstream, .zeroed = true});
        std::vector<std::byte*> seen(thread_count);
        std::barrier start(thread_count);
        {
            std::vector<std::jthread> threads;
            for (int i = 0; i != thread_count; ++i)
                threads.emplace_back([&, i] {
                    start.arrive_and_wait();
                    seen[i] = table.try_get();
                    if (!seen[i]) seen[i] = table.try_get();
                    ASSERT_NE(seen[i], nullptr);
                    ASSERT_EQ(seen[i][4095], std::byte{0}); // what the maker wrote is seen
                });
        }
        for (std::byte* each : seen) ASSERT_EQ(each, seen[0]);
        ASSERT_EQ(upstream.request_count(), round % 2 ? 2u : 1u);
    }
}

} // namespace
} // namespace allot
