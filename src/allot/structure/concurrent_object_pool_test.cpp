#include <allot/structure/concurrent_object_pool.hpp>

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace allot {
namespace {

// Usage.

TEST(concurrent_object_pool, takes_objects_back_on_any_thread) {
    concurrent_object_pool<std::vector<int>> lists({.name = "lists"});
    pooled<std::vector<int>> list = lists.acquire();
    list->assign(100, 7);
    std::thread([away = std::move(list)] { EXPECT_TRUE(away->size() == 100); }).join(); // comes back there
    EXPECT_TRUE(lists.acquire()->capacity() == 100);
    EXPECT_TRUE(lists.counts().created == 1 && lists.counts().hit_rate() == 0.5);
}

} // namespace
} // namespace allot
