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

// Edges.

TEST(concurrent_object_pool, limits_what_is_kept_and_what_is_out_down_to_none) { // B24
    concurrent_object_pool<list> nothing_kept({.kept_count_max = 0});
    for (int i = 0; i != 3; ++i) (void)nothing_kept.acquire();
    EXPECT_EQ(nothing_kept.counts().discarded, 3);
    EXPECT_EQ(nothing_kept.counts().kept, 0);
    list value(5);
    EXPECT_FALSE(nothing_kept.give(std::move(value)));
    EXPECT_FALSE(nothing_kept.try_reserve(1));
    concurrent_object_pool<list> nothing_out({.name = "none", .out_count_max = 0});
    EXPECT_FALSE(nothing_out.try_acquire());
    EXPECT_THROW((void)nothing_out.acquire(), out_of_memory);
    EXPECT_EQ(last_refusal().who, name("none"));
    concurrent_object_pool<list> three({.kept_count_max = 1, .out_count_max = 3});
    for (int round = 0; round != 10; ++round) {
        std::array<pooled<list>, 3> out;
        for (auto& each : out) each = three.acquire();
        EXPECT_FALSE(three.try_acquire());
        out[1].give_back();
        EXPECT_TRUE(out[1] = three.try_acquire());
        three.check();
    }
    EXPECT_EQ(three.counts().kept, 1);
    EXPECT_EQ(three.counts().refused, 10);
    nothing_kept.check();
}

struct re_entrant {
    pooled<re_entrant> next;
    void reset() { next = {}; }
};
struct re_entrant_care : object_care<re_entrant> {
    concurrent_object_pool<re_entrant, re_entrant_care>** pool;
    int* depth;
    re_entrant make() const {
        re_entrant made;
        if (++*depth < 4) made.next = (*pool)->acquire();
        return made;
    }
};

TEST(concurrent_object_pool, lets_a_factory_and_a_cleaner_use_the_same_pool) { // B25
    int depth = 0;
    concurrent_object_pool<re_entrant, re_entrant_care>* self = nullptr;
    concurrent_object_pool<re_entrant, re_entrant_care> pool({.kept_count_max = 3, .out_count_max = 10},
                                                             {{}, &self, &depth});
    self = &pool;
    {
        const pooled<re_entrant> first = pool.acquire();
        EXPECT_EQ(pool.counts().out, 4);
    } // a cleaner gives the next one back
    EXPECT_EQ(pool.counts().out, 0);
    EXPECT_EQ(pool.counts().kept, 3);
    EXPECT_EQ(pool.counts().discarded, 1);
    pool.check();
}

struct fragile {
    bool breaks = false;
};
struct fragile_care : object_care<fragile> {
    bool* refuses;
    fragile make() const {
        if (*refuses) throw std::runtime_error("make");
        return {};
    }
    void clean(fragile& used) const {
        if (used.breaks) throw std::runtime_error("clean");
    }
};

TEST(concurrent_object_pool,
     discards_what_no_cleaner_gets_clean_and_counts_no_object_that_was_not_made) { // B29
    bool refuses = true;
    concurrent_object_pool<fragile, fragile_care> pool({.out_count_max = 1}, {{}, &refuses});
    for (int i = 0; i != 3; ++i) EXPECT_THROW((void)pool.acquire(), std::runtime_error);
    EXPECT_EQ(pool.counts().created, 0);
    EXPECT_EQ(pool.counts().acquired, 0);
    refuses = false;
    pool.acquire()->breaks = true;
    EXPECT_EQ(pool.counts().discarded, 1);
    EXPECT_FALSE(pool.acquire()->breaks); // B21
    pool.check();
}

TEST(concurrent_object_pool, moves_values_out_and_in_with_the_books_following) { // GM8
    concurrent_object_pool<list> from;
    concurrent_object_pool<list> to({.kept_count_max = 1});
    pooled<list> handle = from.acquire();
    handle->assign(50, 3);
    const int* const storage = handle->data();
    EXPECT_TRUE(to.give(handle.take()));
    EXPECT_FALSE(handle);
    EXPECT_EQ(from.counts().taken, 1);
    EXPECT_EQ(from.usage().live_count, 0);
    list second(7, 7);
    EXPECT_FALSE(to.give(std::move(second))); // it keeps one
    EXPECT_EQ(second.capacity(), 7);          // NOLINT: it is still ours
    EXPECT_EQ(to.acquire()->data(), storage);
    EXPECT_EQ(to.counts().given, 2);
    EXPECT_EQ(to.counts().created, 0);
    from.check();
    to.check();
}

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
