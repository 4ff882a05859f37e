#include <allot/structure/concurrent_bounded_pool.hpp>

void concurrent_bounded_pool_use_after_free() {
    allot::concurrent_bounded_pool frames(
        {.name = "frames", .slot = {.size = 64, .align = 8}, .slot_count = 1});
    auto* const count = static_cast<volatile int*>(frames.allocate());
    frames.deallocate(const_cast<int*>(count));
    allot::mark_live(const_cast<int*>(count), sizeof *count); // as if no sanitizer saw the next line
    *count = 0;
    (void)frames.allocate();
}
