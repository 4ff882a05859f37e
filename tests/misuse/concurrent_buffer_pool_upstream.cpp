#include <allot/structure/arena.hpp>
#include <allot/structure/concurrent_buffer_pool.hpp>

int main() {
    allot::arena request({.name = "request"});
    allot::concurrent_buffer_pool pool({.name = "input", .upstream = &request});
}
