#include <allot/structure/buffer_pool.hpp>

void buffer_pool_use_after_free() {
    allot::buffer_pool pool({.name = "input"});
    auto* const count = static_cast<volatile int*>(pool.try_allocate(allot::layout{100, 16}));
    *count = 1;
    pool.deallocate(const_cast<int*>(count), allot::layout{100, 16});
    allot::mark_live(const_cast<int*>(count), sizeof *count); // as if no sanitizer saw the next line
    *count = 0;
    (void)pool.try_allocate(allot::layout{100, 16});
}
