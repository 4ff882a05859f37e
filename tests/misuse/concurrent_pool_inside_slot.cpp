#include <allot/structure/concurrent_pool.hpp>

void concurrent_pool_inside_slot() {
    allot::concurrent_pool jobs({.name = "jobs", .slot = {.size = 64, .align = 8}});
    jobs.deallocate(static_cast<char*>(jobs.allocate()) + 16);
}
