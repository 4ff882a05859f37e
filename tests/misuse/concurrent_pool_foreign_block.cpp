#include <allot/structure/concurrent_pool.hpp>

void concurrent_pool_foreign_block() {
    allot::concurrent_pool jobs({.name = "jobs", .slot = {.size = 64, .align = 8}});
    allot::pool others({.name = "others", .slot = {.size = 64, .align = 8}});
    (void)jobs.allocate();
    jobs.deallocate(others.allocate());
}
