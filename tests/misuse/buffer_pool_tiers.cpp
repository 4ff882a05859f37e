#include <allot/structure/buffer_pool.hpp>

void buffer_pool_tiers() {
    const allot::buffer_tier tiers[] = {{.size = 4096}, {.size = 1024}};
    allot::buffer_pool pool({.name = "input", .tiers = tiers});
}
