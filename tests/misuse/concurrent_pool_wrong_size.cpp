#include <allot/structure/concurrent_pool.hpp>

void concurrent_pool_wrong_size() {
    allot::concurrent_pool jobs({.name = "jobs", .slot = {.size = 64, .align = 8}});
    jobs.deallocate(jobs.allocate(), {.size = 100, .align = 8});
}
