#include <allot/structure/object_pool.hpp>
#include <vector>

void object_pool_died_early() {
    allot::pooled<std::vector<int>> list;
    allot::object_pool<std::vector<int>> lists({.name = "lists"});
    list = lists.acquire();
}
