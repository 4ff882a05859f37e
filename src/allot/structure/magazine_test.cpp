#include <allot/structure/magazine.hpp>

#include <allot/source/default_source.hpp>
#include <allot/source/malloc_source.hpp>
#include <allot/testing/auditing_source.hpp>
#include <allot/testing/failing_source.hpp>
#include <allot/testing/for_each_failure.hpp>
#include <allot/testing/no_allocation.hpp>
#include <cassert>
#include <gtest/gtest.h>
#include <latch>
#include <random>
#include <thread>
#include <vector>

namespace allot::detail {
namespace {

void* item(std::uintptr_t number) { return reinterpret_cast<void*>(number); }

TEST(magazine, does_what_the_header_shows) {
    magazine_cache cache(default_source(), {.magazine_items = 4});
    int one = 1, two = 2;
    EXPECT_TRUE(cache.try_take() == nullptr && cache.try_put(&one) && cache.try_put(&two));
    EXPECT_TRUE(cache.try_take() == &two && cache.read().kept == 1 && cache.read().taken == 1);
    cache.drain([](void* each) { EXPECT_TRUE(each != nullptr); });
    EXPECT_TRUE(cache.read().kept == 0);
}

// The limit is exact for one thread, whatever the size of a magazine; 0 keeps nothing (B27).
TEST(magazine, keeps_exactly_as_many_as_allowed) {
    for (const std::uint64_t limit : {0, 1, 3, 4, 7, 8, 9, 50}) {
        magazine_cache cache(default_source(), {.magazine_items = 4, .kept_count_max = limit});
        for (std::uintptr_t i = 1; i <= limit; ++i) EXPECT_TRUE(cache.try_put(item(i))) << i;
        EXPECT_FALSE(cache.try_put(item(99)));
        EXPECT_EQ(cache.read().kept, limit);
        cache.check();
        for (std::uint64_t i = 0; i != limit; ++i) EXPECT_NE(cache.try_take(), nullptr) << i;
        EXPECT_EQ(cache.try_take(), nullptr);
        cache.check();
    }
}

TEST(magazine, hands_on_what_an_ended_thread_kept) {
    magazine_cache cache(default_source(), {.magazine_items = 4, .kept_count_max = 6});
    std::thread([&] {
        for (std::uintptr_t i = 1; i <= 6; ++i) EXPECT_TRUE(cache.try_put(item(i)));
    }).join();
    EXPECT_FALSE(cache.try_put(item(9)));
    for (int i = 0; i != 6; ++i) EXPECT_NE(cache.try_take(), nullptr) << i;
    EXPECT_EQ(cache.try_take(), nullptr);
    std::thread([&] { // and the room that it had
        EXPECT_TRUE(cache.try_put(item(1)));
        EXPECT_NE(cache.try_take(), nullptr);
    })
        .join();
    for (std::uintptr_t i = 1; i <= 6; ++i) EXPECT_TRUE(cache.try_put(item(i))) << i;
    EXPECT_FALSE(cache.try_put(item(9)));
    cache.check();
}

TEST(magazine, serves_threads_that_got_no_slot) {
    magazine_cache cache(default_source(), {.magazine_items = 4});
    constexpr std::ptrdiff_t thread_count = thread_slot_count + 10;
    std::latch all(thread_count);
    std::vector<std::thread> threads;
    for (std::ptrdiff_t i = 0; i != thread_count; ++i)
        threads.emplace_back([&] {
            EXPECT_TRUE(cache.try_put(item(1)));
            all.arrive_and_wait(); // so that all run at once
            EXPECT_NE(cache.try_take(), nullptr);
        });
    for (std::thread& each : threads) each.join();
    EXPECT_EQ(cache.read().kept, 0u);
    EXPECT_EQ(cache.read().taken, static_cast<std::uint64_t>(thread_count));
    cache.check();
}

TEST(magazine, survives_each_shortage) {
    allot::for_each_failure([](failing_source& upstream) {
        magazine_cache cache(upstream, {.magazine_items = 2});
        std::uint64_t kept = 0;
        for (std::uintptr_t i = 1; i <= 20; ++i) kept += cache.try_put(item(i));
        cache.check();
        std::uint64_t taken = 0;
        while (cache.try_take()) ++taken;
        EXPECT_EQ(taken, kept);
        cache.check();
    });
}

// B28: once so many items were reserved, or lay there, nothing is allocated.
TEST(magazine, allocates_nothing_in_steady_state) {
    malloc_source pages;
    auditing_source upstream(pages);
    magazine_cache cache(upstream, {.magazine_items = 8});
    ASSERT_TRUE(cache.try_reserve(500) && cache.try_reserve(1000));
    ASSERT_TRUE(cache.try_put(item(1))); // makes this thread's cell
    ASSERT_NE(cache.try_take(), nullptr);
    const std::uint64_t before = cache.held_bytes();
    {
        no_allocation nothing;
        for (int round = 0; round != 3; ++round) {
            for (std::uintptr_t i = 1; i <= 1000; ++i) ASSERT_TRUE(cache.try_put(item(i)));
            for (int i = 0; i != 1000; ++i) ASSERT_NE(cache.try_take(), nullptr);
        }
    }
    EXPECT_EQ(cache.held_bytes(), before);
    cache.trim(500);
    EXPECT_LT(cache.held_bytes(), before);
    cache.check();
}

TEST(magazine, equals_a_stack_under_random_use) {
    const unsigned seed = std::random_device{}();
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    magazine_cache cache(default_source(), {.magazine_items = 3, .kept_count_max = 40});
    std::vector<void*> model;
    for (int i = 0; i != 20'000; ++i) {
        const auto draw = random() % 100;
        if (draw < 50) {
            void* const next = item(random() % 1000 + 1);
            ASSERT_EQ(cache.try_put(next), model.size() < 40);
            if (model.size() < 40) model.push_back(next);
        } else if (draw < 98) {
            void* const taken = cache.try_take();
            ASSERT_EQ(taken, model.empty() ? nullptr : model.back());
            if (taken) model.pop_back();
        } else {
            std::uint64_t count = 0;
            cache.drain([&](void*) { ++count; });
            ASSERT_EQ(count, model.size());
            model.clear();
        }
        if (i % 16 == 0) {
            cache.check();
            ASSERT_EQ(cache.read().kept, model.size());
        }
    }
}

// B27: eight threads never keep more than allowed, and lose nothing.
TEST(magazine, keeps_its_limit_and_its_items_with_eight_threads) {
    constexpr std::uint64_t limit = 60;
    magazine_cache cache(default_source(), {.magazine_items = 4, .kept_count_max = limit});
    std::atomic<std::int64_t> kept = 0; // at least as many as there are, at any time
    std::vector<std::atomic<int>> out(2000);
    std::vector<std::thread> threads;
    for (unsigned t = 0; t != 8; ++t)
        threads.emplace_back([&, t] {
            std::mt19937 random(t);
            std::uintptr_t fresh = t * 200 + 1; // each item is made by one thread
            const std::uintptr_t end = fresh + 200;
            std::vector<void*> mine;
            for (int i = 0; i != 30'000; ++i) {
                if (random() % 2 == 0) {
                    if (void* const taken = cache.try_take()) {
                        EXPECT_EQ(out[reinterpret_cast<std::uintptr_t>(taken)].exchange(1), 0);
                        mine.push_back(taken);
                        kept.fetch_sub(1);
                    }
                    continue;
                }
                if (mine.empty() && fresh != end) {
                    out[fresh] = 1;
                    mine.push_back(item(fresh++));
                }
                if (mine.empty()) continue;
                void* const back = mine.back();
                EXPECT_EQ(out[reinterpret_cast<std::uintptr_t>(back)].exchange(0), 1);
                if (cache.try_put(back)) {
                    kept.fetch_add(1);
                    mine.pop_back();
                } else {
                    out[reinterpret_cast<std::uintptr_t>(back)] = 1;
                }
                if (random() % 64 == 0) {
                    EXPECT_LE(cache.read().kept, limit);
                }
            }
        });
    for (std::thread& each : threads) each.join();
    EXPECT_EQ(cache.read().kept, static_cast<std::uint64_t>(kept.load()));
    EXPECT_LE(cache.read().kept, limit);
    cache.check();
}

} // namespace
} // namespace allot::detail
