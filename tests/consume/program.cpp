// A foreign program: takes memory until there is no more. The tests of this folder build it in each way in which allot
// can be had.
#include <allot/allot.hpp>

#include <array>
#include <cstdio>
#include <memory_resource>
#include <vector>

int main() {
    std::array<std::byte, 1000> bytes;
    allot::buffer_source source(bytes, {.name = "buffer"});
    std::pmr::vector<int> numbers(100, &source);
    const bool more = source.try_allocate({.size = 1000}) != nullptr;
    std::printf("%d bytes, %s, check level %d\n", static_cast<int>(source.usage().live_bytes),
                more ? "no limit" : allot::last_refusal().who.c_str(), static_cast<int>(allot::checks));
}
