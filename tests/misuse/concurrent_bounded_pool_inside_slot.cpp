#include <allot/structure/concurrent_bounded_pool.hpp>

void concurrent_bounded_pool_inside_slot() {
    allot::concurrent_bounded_pool frames(
        {.name = "frames", .slot = {.size = 64, .align = 8}, .slot_count = 1});
    auto* const slot = static_cast<char*>(frames.allocate());
    frames.deallocate(slot + 16);
}
