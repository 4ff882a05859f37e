#include <allot/structure/concurrent_object_pool.hpp>
#include <vector>

void concurrent_object_pool_died_early() {
    allot::pooled<std::vector<int>> list;
    allot::concurrent_object_pool<std::vector<int>> lists({.name = "lists"});
    list = lists.acquire();
}
