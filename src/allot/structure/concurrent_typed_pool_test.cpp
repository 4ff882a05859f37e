#include <allot/structure/concurrent_typed_pool.hpp>

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <thread>

namespace allot {
namespace {

struct job {
    int user;
};

TEST(concurrent_typed_pool, makes_in_one_thread_and_destroys_in_another) {
    concurrent_typed_pool<job> jobs({.name = "jobs"});
    job* first = jobs.make(1);
    concurrent_typed_pool<job>::unique second = jobs.make_unique(2);
    std::thread([&] { jobs.destroy(first); }).join();
    EXPECT_TRUE(jobs.raw().usage().live_count == 1 && second->user == 2);
    EXPECT_EQ(concurrent_typed_pool<job>().raw().name(), name("job"));
}

TEST(concurrent_typed_pool, has_the_slot_back_when_a_constructor_throws) {
    struct refuses {
        explicit refuses(int) { throw std::runtime_error("no"); }
    };
    concurrent_typed_pool<refuses> pool({.object_count_max = 1});
    EXPECT_THROW(static_cast<void>(pool.make(1)), std::runtime_error);
    EXPECT_THROW(static_cast<void>(pool.try_make(1)), std::runtime_error);
    EXPECT_EQ(pool.raw().usage().live_count, 0);
}

TEST(concurrent_typed_pool, is_exhausted_at_its_bound) {
    concurrent_typed_pool<std::string> pool({.object_count_max = 1});
    std::string* const text = pool.make("a text that is longer than a small one");
    EXPECT_EQ(pool.try_make("another"), nullptr);
    pool.destroy(text);
    pool.destroy(nullptr);
    EXPECT_EQ(pool.raw().usage().live_count, 0);
}

TEST(concurrent_typed_pool_death, destroys_no_object_twice) {
    if constexpr (checks == check_level::off) GTEST_SKIP() << "nobody looks";
    concurrent_typed_pool<std::string> texts({.name = "texts"});
    std::string* const text = texts.make("one");
    texts.destroy(text);
    EXPECT_DEATH(texts.destroy(text), "concurrent_pool 'texts': slot .* given back twice");
}

} // namespace
} // namespace allot
