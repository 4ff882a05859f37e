#include <allot/source/default_source.hpp>
#include <allot/structure/concurrent_object_pool.hpp>
#include <allot/testing/auditing_source.hpp>
#include <allot/testing/for_each_failure.hpp>
#include <allot/testing/no_allocation.hpp>

#include <gtest/gtest.h>

#include <array>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#if ALLOT_HAS_ASAN
#    include <sanitizer/asan_interface.h>
#endif

namespace allot {
namespace {

using list = std::vector<int>;

// Usage.

TEST(concurrent_object_pool, takes_objects_back_on_any_thread) {
    concurrent_object_pool<std::vector<int>> lists({.name = "lists"});
    pooled<std::vector<int>> list = lists.acquire();
    list->assign(100, 7);
    std::thread([away = std::move(list)] { EXPECT_TRUE(away->size() == 100); }).join(); // comes back there
    EXPECT_TRUE(lists.acquire()->capacity() == 100);
    EXPECT_TRUE(lists.counts().created == 1 && lists.counts().hit_rate() == 0.5);
}

// Edges: what object_pool does, too, is in object_pool_alike_test.

TEST(concurrent_object_pool, trims_what_no_other_running_thread_has) {
    concurrent_object_pool<std::array<char, 1000>> pool;
    EXPECT_TRUE(pool.try_reserve(200));
    EXPECT_EQ(pool.counts().kept, 200);
    EXPECT_EQ(pool.counts().acquired, 0);
    (void)pool.acquire();
    EXPECT_EQ(pool.counts().hit_rate(), 1.0);
    EXPECT_GT(pool.trim(), 200 * 1000);
    EXPECT_EQ(pool.counts().kept, 0);
    EXPECT_EQ(pool.counts().discarded, 200);
    pool.check();
}

// Shortage.

TEST(concurrent_object_pool, survives_every_refusal_of_its_upstream) {
    const std::uint64_t points = for_each_failure([](failing_source& source) {
        concurrent_object_pool<std::array<char, 700>> pool({.upstream = &source});
        for (int round = 0; round != 2; ++round) {
            std::vector<pooled<std::array<char, 700>>> out;
            for (int i = 0; i != 100; ++i) {
                if (auto one = pool.try_acquire()) out.push_back(std::move(one));
                pool.check();
            }
            EXPECT_EQ(pool.counts().out, out.size());
        }
        pool.check();
    });
    EXPECT_GT(points, 4);
}

// Books.

TEST(concurrent_object_pool, allocates_nothing_in_steady_state_and_gives_all_back) { // B28, B30, B31
    auditing_source upstream(default_source());
    {
        concurrent_object_pool<list> lists({.upstream = &upstream});
        std::array<pooled<list>, 100> out;
        const auto round = [&] {
            for (auto& each : out) (each = lists.acquire())->assign(100, 1);
            for (auto& each : out) each.give_back();
        };
        round(); // warm-up
        const std::uint64_t blocks = upstream.usage().total_count;
        {
            no_allocation scope;
            for (int i = 0; i != 10'000; ++i) round(); // 1 M objects
        }
        EXPECT_EQ(upstream.usage().total_count, blocks);
        const object_counts now = lists.counts();
        EXPECT_EQ(now.acquired, 1'000'100);
        EXPECT_EQ(now.returned, 1'000'100);
        EXPECT_EQ(now.created, 100); // hit rate 0.9999
        const allot::usage memory = lists.usage();
        EXPECT_EQ(memory.held_bytes, memory.live_bytes + memory.free_bytes + memory.slack_bytes);
        EXPECT_EQ(upstream.live_bytes(), memory.held_bytes);
    }
    EXPECT_EQ(upstream.live_count(), 0);
}

#if ALLOT_HAS_ASAN
TEST(concurrent_object_pool, marks_what_it_keeps_as_dead) {
    concurrent_object_pool<std::string> texts;
    std::string* const used = texts.acquire().get();
    EXPECT_TRUE(__asan_address_is_poisoned(used));
    const pooled<std::string> again = texts.acquire();
    EXPECT_FALSE(__asan_address_is_poisoned(used));
}
#endif

// Model.

TEST(concurrent_object_pool, does_what_a_list_of_objects_says) {
    const unsigned seed = std::random_device{}();
    SCOPED_TRACE(::testing::Message() << "seed " << seed);
    std::mt19937 random(seed);
    for (const std::uint64_t limit : {5, 40, 1000}) {
        concurrent_object_pool<std::string> pool({.kept_count_max = limit / 2, .out_count_max = limit});
        std::vector<std::pair<pooled<std::string>, std::string>> out;
        std::uint64_t acquired = 0, taken = 0;
        for (int step = 0; step != 3000; ++step) {
            const auto dice = random() % 100;
            if (dice < (step / 200 % 2 ? 40U : 60U)) {
                pooled<std::string> one = pool.try_acquire();
                ASSERT_EQ(static_cast<bool>(one), out.size() < limit);
                if (!one) continue;
                ASSERT_TRUE(one->empty());
                ++acquired;
                out.emplace_back(std::move(one), std::to_string(random()));
                *out.back().first = out.back().second;
            } else if (!out.empty()) {
                std::swap(out[random() % out.size()], out.back());
                ASSERT_EQ(*out.back().first, out.back().second);
                if (dice == 99) {
                    ASSERT_EQ(out.back().first.take(), out.back().second);
                    ++taken;
                }
                out.pop_back();
            }
            if (dice == 98 && random() % 10 == 0) (void)pool.trim();
            pool.check();
            const object_counts now = pool.counts();
            ASSERT_EQ(now.out, out.size());
            ASSERT_EQ(now.acquired, acquired);
            ASSERT_EQ(now.taken, taken);
            ASSERT_LE(now.kept, limit / 2);
            ASSERT_EQ(now.created, now.out + now.kept + now.discarded + now.taken);
            ASSERT_EQ(now.acquired, now.out + now.returned + now.taken);
        }
    }
}

} // namespace
} // namespace allot
