#include <allot/structure/concurrent_bounded_pool.hpp>

void concurrent_bounded_pool_wrong_size() {
    allot::concurrent_bounded_pool frames(
        {.name = "frames", .slot = {.size = 64, .align = 8}, .slot_count = 1});
    void* const slot = frames.allocate();
    frames.deallocate(slot, allot::layout{100, 8});
}
