#include <allot/structure/arena.hpp>

void arena_foreign_block() {
    allot::arena request({.name = "request"});
    (void)request.allocate(16);
    long other[2];
    request.deallocate(other, 16);
}
