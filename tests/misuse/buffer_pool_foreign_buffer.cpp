#include <allot/structure/buffer_pool.hpp>

void buffer_pool_foreign_buffer() {
    allot::buffer_pool pool({.name = "input"});
    allot::buffer_pool other({.name = "output"});
    pool.deallocate(other.try_allocate(allot::layout{100, 16}), allot::layout{100, 16});
}
