#include <allot/structure/concurrent_buffer_pool.hpp>

void concurrent_buffer_pool_given_back_twice() {
    allot::concurrent_buffer_pool pool({.name = "input"});
    void* const one = pool.try_allocate(allot::layout{100, 16});
    pool.deallocate(one, allot::layout{100, 16});
    pool.deallocate(one, allot::layout{100, 16});
}
