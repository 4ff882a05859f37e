#include <allot/structure/concurrent_object_pool.hpp>
#include <optional>
#include <vector>

int main() {
    std::optional<allot::concurrent_object_pool<std::vector<int>>> lists;
    lists.emplace(allot::concurrent_object_pool_options{.name = "lists"});
    const allot::pooled<std::vector<int>> list = lists->acquire();
    lists.reset();
}
