#include <allot/structure/concurrent_bounded_pool.hpp>

void concurrent_bounded_pool_too_many_slots() {
    allot::concurrent_bounded_pool frames(
        {.name = "frames", .slot = {.size = 64, .align = 8}, .slot_count = 3'000'000'000});
}
