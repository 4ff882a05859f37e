#include <allot/structure/concurrent_buffer_pool.hpp>

void concurrent_buffer_pool_tiers() {
    const allot::buffer_tier tiers[] = {{.size = 4096}, {.size = 1024}};
    allot::concurrent_buffer_pool pool({.name = "input", .tiers = tiers});
}
