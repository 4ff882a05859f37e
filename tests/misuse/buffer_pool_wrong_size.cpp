#include <allot/structure/buffer_pool.hpp>

void buffer_pool_wrong_size() {
    allot::buffer_pool pool({.name = "input"});
    pool.deallocate(pool.try_allocate(allot::layout{100, 16}), allot::layout{60000, 16});
}
