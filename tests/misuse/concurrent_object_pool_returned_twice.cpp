#include <allot/structure/concurrent_object_pool.hpp>
#include <cstring>
#include <vector>

void concurrent_object_pool_returned_twice() {
    allot::concurrent_object_pool<std::vector<int>> lists({.name = "lists"});
    allot::pooled<std::vector<int>> list = lists.acquire();
    alignas(void*) std::byte copy[sizeof list]; // what no handle allows
    std::memcpy(copy, &list, sizeof list);
    list.give_back();
    reinterpret_cast<allot::pooled<std::vector<int>>*>(copy)->give_back();
}
