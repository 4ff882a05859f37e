#include <allot/structure/arena.hpp>
#include <allot/structure/concurrent_buffer_pool.hpp>

void concurrent_buffer_pool_upstream() {
    allot::arena request({.name = "request"});
    allot::concurrent_buffer_pool pool({.name = "input", .upstream = &request});
}
