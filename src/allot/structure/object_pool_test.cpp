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

// Edges; what concurrent_object_pool does, too, is in object_pool_alike_test.

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
