#include <allot/structure/concurrent_pool.hpp>

void concurrent_pool_use_after_free() {
    allot::concurrent_pool jobs({.name = "jobs", .slot = {.size = 64, .align = 8}});
    auto* const count = static_cast<volatile int*>(jobs.allocate());
    *count = 1;
    jobs.deallocate(const_cast<int*>(count));
    allot::mark_live(const_cast<int*>(count), sizeof *count); // as if no sanitizer saw the next line
    *count = 0;
    (void)jobs.allocate();
}
