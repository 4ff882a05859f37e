#include <allot/structure/concurrent_buffer_pool.hpp>

void concurrent_buffer_pool_foreign_buffer() {
    allot::concurrent_buffer_pool pool({.name = "input"});
    allot::concurrent_buffer_pool other({.name = "output"});
    pool.deallocate(other.try_allocate(allot::layout{100, 16}), allot::layout{100, 16});
}
