// A foreign program: containers in an arena until its limit is met. The tests of this folder build it in each
// way in which allot can be had.
#include <allot/allot.hpp>

#include <cstdio>
#include <memory_resource>
#include <vector>

int main() {
    allot::arena memory({.name = "arena", .limit_bytes = 8192});
    std::pmr::vector<int> numbers(100, &memory);
    const bool more = memory.try_allocate({.size = 8192}) != nullptr;
    std::printf("%d bytes, %s, check level %d\n", static_cast<int>(memory.usage().live_bytes),
                more ? "no limit" : allot::last_refusal().who.c_str(), static_cast<int>(allot::checks));
}
