#include <allot/structure/concurrent_bounded_pool.hpp>

void concurrent_bounded_pool_foreign_block() {
    allot::concurrent_bounded_pool frames(
        {.name = "frames", .slot = {.size = 64, .align = 8}, .slot_count = 1});
    int here = 0;
    frames.deallocate(&here);
}
