#include <allot/structure/object_pool.hpp>
#include <optional>
#include <vector>

int main() {
    std::optional<allot::object_pool<std::vector<int>>> lists;
    lists.emplace(allot::object_pool_options{.name = "lists"});
    const allot::pooled<std::vector<int>> list = lists->acquire();
    lists.reset();
}
