#include <allot/structure/concurrent_pool.hpp>

void concurrent_pool_given_back_twice() {
    allot::concurrent_pool jobs({.name = "jobs", .slot = {.size = 64, .align = 8}});
    void* const first = jobs.allocate();
    void* const second = jobs.allocate();
    jobs.deallocate(first);
    jobs.deallocate(second);
    jobs.deallocate(first);
}
