#include <allot/structure/object_pool.hpp>

#include <gtest/gtest.h>

#include <vector>

namespace allot {
namespace {

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

} // namespace
} // namespace allot
