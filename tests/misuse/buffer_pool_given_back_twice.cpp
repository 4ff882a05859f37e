#include <allot/structure/buffer_pool.hpp>

void buffer_pool_given_back_twice() {
    allot::buffer_pool pool({.name = "input"});
    void* const one = pool.try_allocate(allot::layout{100, 16});
    pool.deallocate(one, allot::layout{100, 16});
    pool.deallocate(one, allot::layout{100, 16});
}
