#include <allot/structure/concurrent_bounded_typed_pool.hpp>
#include <allot/testing/auditing_source.hpp>
#include <allot/testing/for_each_failure.hpp>

#include <gtest/gtest.h>

#include <allot/source/default_source.hpp>
#include <atomic>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace allot {
namespace {

struct connection {
    int user;
};

TEST(concurrent_bounded_typed_pool, makes_objects_up_to_its_bound_and_takes_them_back_from_any_thread) {
    concurrent_bounded_typed_pool<connection> connections({.name = "connections", .object_count = 2});
    connection* first = connections.make(1);
    concurrent_bounded_typed_pool<connection>::unique second = connections.make_unique(2);
    EXPECT_TRUE(connections.try_make(3) == nullptr); // exhausted
    std::thread([&] { connections.destroy(first); }).join();
    EXPECT_TRUE(connections.make(3) == first && second->user == 2);
    EXPECT_FALSE(connections.try_make_unique(4));
    EXPECT_EQ(concurrent_bounded_typed_pool<connection>().raw().name(), name("connection"));
}

TEST(concurrent_bounded_typed_pool, has_the_slot_back_when_a_constructor_throws) {
    struct refuses {
        explicit refuses(int) { throw std::runtime_error("no"); }
    };
    concurrent_bounded_typed_pool<refuses> pool({.object_count = 1});
    for (int i = 0; i != 3; ++i) EXPECT_THROW(static_cast<void>(pool.make(1)), std::runtime_error);
    EXPECT_EQ(pool.raw().usage().live_count, 0);
}

TEST(concurrent_bounded_typed_pool, serves_nothing_where_upstream_refused_its_memory) {
    EXPECT_EQ(for_each_failure([](failing_source& source) {
                  concurrent_bounded_typed_pool<std::string> texts({.object_count = 3, .upstream = &source});
                  auto one = texts.try_make_unique("a text that is longer than a small one");
                  EXPECT_EQ(one != nullptr, texts.raw().capacity() == 3);
              }),
              1);
}

TEST(concurrent_bounded_typed_pool, never_has_more_objects_than_its_bound_among_eight_threads) {
    struct counted {
        explicit counted(std::atomic<int>& of) : count(of) { ++count; }
        counted(const counted&) = delete;
        ~counted() { --count; }
        std::atomic<int>& count;
    };
    auditing_source below(default_source());
    {
        std::atomic<int> alive = 0, beyond = 0;
        concurrent_bounded_typed_pool<counted> pool({.object_count = 5, .upstream = &below});
        std::vector<std::thread> threads;
        for (unsigned t = 0; t != 8; ++t)
            threads.emplace_back([&, t] {
                std::minstd_rand random(t + 1);
                std::vector<decltype(pool)::unique> mine;
                for (int i = 0; i != 20'000; ++i) {
                    if (auto made = pool.try_make_unique(alive)) mine.push_back(std::move(made));
                    beyond += alive > 5;
                    if (random() % 3 != 0) mine.clear();
                }
            });
        for (std::thread& each : threads) each.join();
        EXPECT_EQ(beyond, 0);
        EXPECT_EQ(alive, 0);
        pool.raw().check();
    }
    EXPECT_EQ(below.live_count(), 0);
}

TEST(concurrent_bounded_typed_pool_death, destroys_no_object_twice) {
    if constexpr (checks == check_level::off) GTEST_SKIP() << "nobody looks";
    concurrent_bounded_typed_pool<std::string> texts({.name = "texts", .object_count = 2});
    std::string* const text = texts.make("one");
    texts.destroy(text);
    EXPECT_DEATH(texts.destroy(text), "concurrent_bounded_pool 'texts': slot .* given back twice");
    EXPECT_DEATH(texts.destroy(text + 1), "is no slot of this pool") << "never handed out";
}

} // namespace
} // namespace allot
