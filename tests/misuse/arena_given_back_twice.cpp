#include <allot/structure/arena.hpp>

void arena_given_back_twice() {
    allot::arena request({.name = "request"});
    void* const block = request.allocate(48);
    request.deallocate(block, 48);
    request.deallocate(block, 48);
}
