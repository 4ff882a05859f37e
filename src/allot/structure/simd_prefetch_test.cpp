#include <allot/structure/simd_prefetch.hpp>

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace allot {
namespace {

// Usage.

TEST(simd_prefetch, runs_over_all_items_in_order) {
    std::vector<std::string> names{"ab", "cd", "ef"};
    std::uint64_t sum = 0;
    for_each_ahead(
        std::span(names), [](const std::string& name) { return name.data(); },
        [&](const std::string& name) { sum += static_cast<unsigned char>(name[0]); });
    EXPECT_EQ(sum, 'a' + 'c' + 'e');
}

// Edges.

TEST(simd_prefetch, visits_each_item_once_at_every_distance_and_asks_only_for_items_that_are) { // B65
    for (std::size_t count = 0; count != 20; ++count) {
        for (std::size_t distance = 0; distance != 25; ++distance) {
            std::vector<int> items(count);
            std::vector<const int*> asked;
            std::vector<const int*> visited;
            for_each_ahead(
                std::span(items),
                [&](const int& item) {
                    asked.push_back(&item);
                    EXPECT_EQ(&item - items.data(), static_cast<std::ptrdiff_t>(visited.size() + distance));
                    return &item;
                },
                [&](int& item) { visited.push_back(&item); }, {.distance = distance});
            ASSERT_EQ(visited.size(), count);
            for (std::size_t i = 0; i != count; ++i) ASSERT_EQ(visited[i], &items[i]);
            ASSERT_EQ(asked.size(), count > distance ? count - distance : 0);
        }
    }
}

TEST(simd_prefetch, takes_any_address) {
    std::vector<const char*> places{nullptr, "text", reinterpret_cast<const char*>(1)};
    int visited = 0;
    for_each_ahead(
        std::span(places), [](const char* place) { return place; }, [&](const char*) { ++visited; },
        {.distance = 1});
    EXPECT_EQ(visited, 3);
}

} // namespace
} // namespace allot
