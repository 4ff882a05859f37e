#include <allot/source/default_source.hpp>
#include <allot/structure/object_pool.hpp>
#include <allot/testing/auditing_source.hpp>
#include <allot/testing/for_each_failure.hpp>
#include <allot/testing/no_allocation.hpp>

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

#if ALLOT_HAS_ASAN
#    include <sanitizer/asan_interface.h>
#endif

namespace allot {
namespace {

using list = std::vector<int>;

// Usage.

TEST(object_pool, hands_out_objects_that_come_back_clean_with_what_they_hold) {
    object_pool<std::vector<int>> lists({.name = "lists", .kept_count_max = 8});
    const void* storage = nullptr;
    {
        pooled<std::vector<int>> list = lists.acquire();
        list->assign(100, 7);
        storage = list->data();
    } // comes back clean
    pooled<std::vector<int>> again = lists.acquire();
    EXPECT_TRUE(again->empty() && again->capacity() == 100 && again->data() == storage);
    EXPECT_TRUE(lists.counts().hit_rate() == 0.5);
}

// Edges.

struct session {
    int user = -1;
    std::string path = "/";
    void reset() {
        user = -1;
        path = "/"; // keeps the capacity
    }
};
struct point {
    int x = 1, y = 2;
};

TEST(object_pool, gives_no_dirty_object_out) { // B21
    object_pool<session> sessions;
    object_pool<point> points;
    for (int i = 0; i != 100; ++i) {
        const pooled<session> one = sessions.acquire();
        EXPECT_EQ(one->user, -1);
        EXPECT_EQ(one->path, "/");
        one->user = i;
        one->path += "task" + std::to_string(i);
        const pooled<point> place = points.acquire();
        EXPECT_EQ(place->x, 1);
        place->x = i;
    }
    EXPECT_EQ(sessions.counts().created, 1);
    EXPECT_EQ(points.name(), name("point"));
}

struct small_list_care : object_care<list> {
    list make() const {
        list made;
        made.reserve(16);
        return made;
    }
    bool keeps(const list& used) const noexcept { return used.capacity() <= capacity_max; }
    std::size_t capacity_max = 64;
};

TEST(object_pool, serves_the_least_from_what_it_keeps_and_discards_what_grew_too_much) { // B22, B23
    object_pool<list, small_list_care> lists;
    for (int i = 0; i != 100; ++i) lists.acquire()->assign(1, i);
    EXPECT_EQ(lists.counts().created, 1);
    EXPECT_GE(lists.counts().hit_rate(), 0.99);
    lists.acquire()->resize(64);
    EXPECT_EQ(lists.counts().discarded, 0);
    lists.acquire()->resize(1'000'000);
    EXPECT_EQ(lists.counts().discarded, 1);
    EXPECT_EQ(lists.acquire()->capacity(), 16); // a new one: never less than the factory's
    object_pool<list, small_list_care> wide({}, {{}, 1'000'000});
    wide.acquire()->resize(1'000'000);
    EXPECT_EQ(wide.acquire()->capacity(), 1'000'000);
    lists.check();
}

TEST(object_pool, limits_what_is_kept_and_what_is_out_down_to_none) { // B24
    object_pool<session> nothing_kept({.kept_count_max = 0});
    for (int i = 0; i != 3; ++i) (void)nothing_kept.acquire();
    EXPECT_EQ(nothing_kept.counts().discarded, 3);
    EXPECT_EQ(nothing_kept.counts().kept, 0);
    object_pool<session> nothing_out({.name = "none", .out_count_max = 0});
    EXPECT_FALSE(nothing_out.try_acquire());
    EXPECT_THROW((void)nothing_out.acquire(), out_of_memory);
    EXPECT_EQ(last_refusal().who, name("none"));
    EXPECT_FALSE(nothing_out.give(session{}));
    EXPECT_FALSE(nothing_out.try_reserve(1));
    EXPECT_TRUE(nothing_out.try_reserve(0));

    object_pool<list, small_list_care> three({.kept_count_max = 1, .out_count_max = 3});
    for (int round = 0; round != 10; ++round) { // what was made and is gone again counts for nothing
        std::array<pooled<list>, 3> out;
        for (auto& each : out) (each = three.acquire())->resize(round % 2 ? 1000 : 1);
        EXPECT_FALSE(three.try_acquire());
        EXPECT_EQ(three.counts().out, 3);
        out[1].give_back();
        out[1].give_back(); // empty: nothing
        EXPECT_TRUE(out[1] = three.try_acquire());
        three.check();
    }
    EXPECT_EQ(three.counts().kept, 1);
    EXPECT_GT(three.counts().created, 3);
    EXPECT_EQ(three.counts().refused, 10);
}

struct re_entrant {
    pooled<re_entrant> next;
    void reset() { next = {}; }
};
struct re_entrant_care : object_care<re_entrant> {
    object_pool<re_entrant, re_entrant_care>** pool;
    int* depth;
    re_entrant make() const {
        re_entrant made;
        if (++*depth < 4) made.next = (*pool)->acquire();
        return made;
    }
};

TEST(object_pool, lets_a_factory_and_a_cleaner_use_the_same_pool) { // B25
    int depth = 0;
    object_pool<re_entrant, re_entrant_care>* self = nullptr;
    object_pool<re_entrant, re_entrant_care> pool({.kept_count_max = 3, .out_count_max = 10},
                                                  {{}, &self, &depth});
    self = &pool;
    {
        const pooled<re_entrant> first = pool.acquire();
        EXPECT_EQ(pool.counts().out, 4);
        EXPECT_TRUE(first->next->next->next);
    } // a cleaner gives the next one back
    EXPECT_EQ(pool.counts().out, 0);
    EXPECT_EQ(pool.counts().kept, 3);
    EXPECT_EQ(pool.counts().discarded, 1);
    pool.check();
}

struct fragile {
    static inline int live = 0;
    fragile() { ++live; }
    fragile(fragile&&) noexcept { ++live; }
    ~fragile() { --live; }
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

TEST(object_pool, discards_what_no_cleaner_gets_clean_and_counts_no_object_that_was_not_made) { // B29
    bool refuses = true;
    {
        object_pool<fragile, fragile_care> pool({.out_count_max = 1}, {{}, &refuses});
        for (int i = 0; i != 3; ++i) {
            EXPECT_THROW((void)pool.acquire(), std::runtime_error);
            EXPECT_THROW((void)pool.try_acquire(), std::runtime_error);
            EXPECT_THROW((void)pool.try_reserve(1), std::runtime_error);
        }
        EXPECT_EQ(pool.counts().created, 0);
        EXPECT_EQ(pool.counts().acquired, 0);
        EXPECT_EQ(pool.usage().live_count, 0);
        refuses = false;
        pool.acquire()->breaks = true;
        EXPECT_EQ(pool.counts().discarded, 1);
        EXPECT_EQ(fragile::live, 0);
        const pooled<fragile> whole = pool.acquire();
        EXPECT_FALSE(whole->breaks);
        pool.check();
    }
    EXPECT_EQ(fragile::live, 0);
}

TEST(object_pool, moves_values_out_and_in_with_the_books_following) { // GM8
    auditing_source upstream(default_source());
    object_pool<list> from({.name = "from", .upstream = &upstream});
    object_pool<list> to({.name = "to", .upstream = &upstream, .kept_count_max = 1});
    pooled<list> handle = from.acquire();
    handle->assign(50, 3);
    const int* const storage = handle->data();
    list value = handle.take();
    EXPECT_FALSE(handle);
    EXPECT_EQ(value, list(50, 3));
    EXPECT_EQ(from.counts().taken, 1);
    EXPECT_EQ(from.counts().out, 0);
    EXPECT_EQ(from.usage().live_count, 0);
    EXPECT_TRUE(to.give(std::move(value)));
    list second(7, 7);
    EXPECT_FALSE(to.give(std::move(second))); // it keeps one
    EXPECT_EQ(second.capacity(), 7);
    const pooled<list> there = to.acquire();
    EXPECT_EQ(there->data(), storage);
    EXPECT_TRUE(there->empty());
    EXPECT_EQ(to.counts().given, 1);
    EXPECT_EQ(to.counts().created, 0);
    EXPECT_EQ(to.counts().hit_rate(), 1.0);
    from.check();
    to.check();
}

TEST(object_pool, keeps_objects_that_cannot_move_and_objects_of_any_alignment) {
    struct alignas(128) gate {
        std::mutex lock;
        int passed = 0;
        void reset() { passed = 0; }
    };
    object_pool<gate> gates;
    const pooled<gate> first = gates.acquire();
    pooled<gate> second = gates.acquire();
    EXPECT_TRUE(is_aligned(first.get(), 128) && is_aligned(second.get(), 128));
    pooled<gate> moved(std::move(second));
    EXPECT_FALSE(second); // NOLINT: that is the question
    pooled<gate>& self = moved;
    moved = std::move(self);
    EXPECT_TRUE(moved);
    moved = gates.acquire();
    EXPECT_EQ(gates.counts().out, 2);
    EXPECT_EQ(gates.counts().kept, 1);
}

TEST(object_pool, trims_down_to_what_is_asked_and_reserves_up_to_it) {
    object_pool<list, small_list_care> lists({.kept_count_max = 200});
    EXPECT_TRUE(lists.try_reserve(200));
    EXPECT_FALSE(lists.try_reserve(201));
    EXPECT_EQ(lists.counts().kept, 200);
    EXPECT_EQ(lists.counts().acquired, 0);
    EXPECT_EQ(lists.acquire()->capacity(), 16);
    EXPECT_EQ(lists.counts().hit_rate(), 1.0);
    (void)lists.trim(50);
    EXPECT_EQ(lists.counts().kept, 50);
    lists.check();
    const std::uint64_t held = lists.usage().held_bytes;
    EXPECT_EQ(lists.trim(), held);
    EXPECT_EQ(lists.usage().held_bytes, 0);
    EXPECT_EQ(lists.counts().discarded, 200);
}

// Shortage.

TEST(object_pool, survives_every_refusal_of_its_upstream) {
    const std::uint64_t points = for_each_failure([](failing_source& source) {
        object_pool<std::array<char, 700>> pool({.upstream = &source});
        std::vector<pooled<std::array<char, 700>>> out;
        for (int i = 0; i != 100; ++i) {
            if (pooled<std::array<char, 700>> one = pool.try_acquire()) out.push_back(std::move(one));
            pool.check();
        }
        EXPECT_EQ(pool.counts().out, out.size());
        EXPECT_EQ(pool.counts().refused, 100 - out.size());
        out.clear();
        pool.check();
    });
    EXPECT_GT(points, 3);
}

// Books.

TEST(object_pool, allocates_nothing_in_steady_state_and_gives_all_back) { // B28, B30, B31
    auditing_source upstream(default_source());
    {
        object_pool<list> lists({.upstream = &upstream});
        std::array<pooled<list>, 10> out;
        const auto round = [&] {
            for (auto& each : out) (each = lists.acquire())->assign(100, 1);
            for (auto& each : out) each.give_back();
        };
        round(); // warm-up
        const object_counts before = lists.counts();
        const std::uint64_t blocks = upstream.usage().total_count;
        {
            no_allocation scope;
            for (int i = 0; i != 100'000; ++i) round(); // 1 M objects
        }
        const object_counts now = lists.counts();
        EXPECT_EQ(upstream.usage().total_count, blocks);
        EXPECT_EQ(now.acquired - before.acquired, 1'000'000);
        EXPECT_EQ(now.missed, before.missed); // hit rate 1: 95 % and more
        EXPECT_EQ(now.created, 10);
        const allot::usage memory = lists.usage();
        EXPECT_EQ(memory.held_bytes, memory.live_bytes + memory.free_bytes + memory.slack_bytes);
        EXPECT_EQ(upstream.live_bytes(), memory.held_bytes);
    }
    EXPECT_EQ(upstream.live_count(), 0);
}

struct witness final : observer {
    void observe(const event& what) noexcept override { seen = what; }
    event seen;
};

TEST(object_pool, tells_the_observer_when_it_dies_with_objects_out) { // B32
    witness told;
    const auto die = [&] {
        alignas(object_pool<point>) std::byte place[sizeof(object_pool<point>)];
        auto* const pool =
            ::new (place) object_pool<point>({.name = "points", .kept_count_max = 4, .observer = &told});
        auto* const lost = new pooled<point>(pool->acquire()); // NOLINT: never comes back
        (void)pool->try_reserve(3);
        pool->object_pool<point>::~object_pool();
        std::fprintf(stderr, "%s %s %llu\n", told.seen.kind, told.seen.who.c_str(),
                     static_cast<unsigned long long>(told.seen.count));
        ::operator delete(lost);
    };
#if ALLOT_CHECK_LEVEL > 0
    EXPECT_DEATH(die(), "fatal: object_pool 'points': died with 1 objects out");
#else
    die();
    EXPECT_EQ(told.seen.count, 1);
    EXPECT_EQ(told.seen.bytes, sizeof(point));
    EXPECT_EQ(told.seen.who, name("points"));
#endif
}

#if ALLOT_HAS_ASAN
TEST(object_pool, marks_what_it_keeps_as_dead) {
    object_pool<session> sessions;
    session* const used = sessions.acquire().get();
    EXPECT_TRUE(__asan_address_is_poisoned(&used->user));
    EXPECT_TRUE(__asan_address_is_poisoned(&used->path));
    const pooled<session> again = sessions.acquire();
    EXPECT_EQ(again.get(), used);
    EXPECT_FALSE(__asan_address_is_poisoned(&used->user));
}
#endif

} // namespace
} // namespace allot
