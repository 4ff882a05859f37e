// What object_pool and concurrent_object_pool promise alike.
#include <allot/source/default_source.hpp>
#include <allot/structure/concurrent_object_pool.hpp>
#include <allot/structure/object_pool.hpp>
#include <allot/testing/auditing_source.hpp>

#include <gtest/gtest.h>

#include <array>
#include <stdexcept>
#include <vector>

namespace allot {
namespace {

using list = std::vector<int>;

struct of_one_thread {
    template <class T, class Care = object_care<T>>
    using pool = object_pool<T, Care>;
};
struct of_many_threads {
    template <class T, class Care = object_care<T>>
    using pool = concurrent_object_pool<T, Care>;
};
template <class Kind>
struct object_pools : testing::Test {};
using kinds = testing::Types<of_one_thread, of_many_threads>;
TYPED_TEST_SUITE(object_pools, kinds, );

struct small_list_care : object_care<list> {
    bool keeps(const list& used) const noexcept { return used.capacity() <= 64; }
};

TYPED_TEST(object_pools, limit_what_is_kept_and_what_is_out_down_to_none) { // B24
    typename TypeParam::template pool<list> nothing_kept({.kept_count_max = 0});
    for (int i = 0; i != 3; ++i) (void)nothing_kept.acquire();
    EXPECT_EQ(nothing_kept.counts().discarded, 3);
    EXPECT_EQ(nothing_kept.counts().kept, 0);
    list value(5);
    EXPECT_FALSE(nothing_kept.give(std::move(value)));
    EXPECT_FALSE(nothing_kept.try_reserve(1));
    EXPECT_TRUE(nothing_kept.try_reserve(0));
    nothing_kept.check();
    typename TypeParam::template pool<list> nothing_out({.name = "none", .out_count_max = 0});
    EXPECT_FALSE(nothing_out.try_acquire());
    EXPECT_THROW((void)nothing_out.acquire(), out_of_memory);
    EXPECT_EQ(last_refusal().who, name("none"));

    typename TypeParam::template pool<list, small_list_care> three({.kept_count_max = 1, .out_count_max = 3});
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

template <class Kind>
struct re_entrant {
    pooled<re_entrant> next;
    void reset() { next = {}; }
};
template <class Kind>
struct re_entrant_care : object_care<re_entrant<Kind>> {
    typename Kind::template pool<re_entrant<Kind>, re_entrant_care>** pool;
    int* depth;
    re_entrant<Kind> make() const {
        re_entrant<Kind> made;
        if (++*depth < 4) made.next = (*pool)->acquire();
        return made;
    }
};

TYPED_TEST(object_pools, let_a_factory_and_a_cleaner_use_the_same_pool) { // B25
    using pool_type = typename TypeParam::template pool<re_entrant<TypeParam>, re_entrant_care<TypeParam>>;
    int depth = 0;
    pool_type* self = nullptr;
    pool_type pool({.kept_count_max = 3, .out_count_max = 10}, {{}, &self, &depth});
    self = &pool;
    {
        const pooled<re_entrant<TypeParam>> first = pool.acquire();
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

TYPED_TEST(object_pools, discard_what_no_cleaner_gets_clean_and_count_no_object_that_was_not_made) { // B29
    bool refuses = true;
    {
        typename TypeParam::template pool<fragile, fragile_care> pool({.out_count_max = 1}, {{}, &refuses});
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
        EXPECT_FALSE(whole->breaks); // B21
        pool.check();
    }
    EXPECT_EQ(fragile::live, 0);
}

TYPED_TEST(object_pools, move_values_out_and_in_with_the_books_following) { // GM8
    auditing_source upstream(default_source());
    typename TypeParam::template pool<list> from({.name = "from", .upstream = &upstream});
    typename TypeParam::template pool<list> to({.name = "to", .upstream = &upstream, .kept_count_max = 1});
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
    EXPECT_EQ(to.counts().given, 1);
    list second(7, 7);
    EXPECT_FALSE(to.give(std::move(second))); // it keeps one
    EXPECT_EQ(second.capacity(), 7);          // NOLINT: it is still ours
    const pooled<list> there = to.acquire();
    EXPECT_EQ(there->data(), storage);
    EXPECT_TRUE(there->empty());
    EXPECT_EQ(to.counts().created, 0);
    EXPECT_EQ(to.counts().hit_rate(), 1.0);
    from.check();
    to.check();
}

} // namespace
} // namespace allot
