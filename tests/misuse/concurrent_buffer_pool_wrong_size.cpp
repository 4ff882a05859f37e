#include <allot/structure/concurrent_buffer_pool.hpp>

void concurrent_buffer_pool_wrong_size() {
    allot::concurrent_buffer_pool pool({.name = "input"});
    pool.deallocate(pool.try_allocate(allot::layout{100, 16}), allot::layout{60000, 16});
}
