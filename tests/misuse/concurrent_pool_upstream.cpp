#include <allot/source/buffer_source.hpp>
#include <allot/structure/concurrent_pool.hpp>
#include <array>

void concurrent_pool_upstream() {
    std::array<std::byte, 4096> bytes;
    allot::buffer_source buffer(bytes, {.name = "buffer"});
    allot::concurrent_pool jobs({.name = "jobs", .slot = {.size = 64, .align = 8}, .upstream = &buffer});
}
