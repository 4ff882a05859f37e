#include <allot/structure/concurrent_pool.hpp>

void concurrent_pool_slot_of_no_bytes() {
    allot::concurrent_pool jobs({.name = "jobs", .slot = {.size = 0}});
}
