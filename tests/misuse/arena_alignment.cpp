#include <allot/structure/arena.hpp>

void arena_alignment() {
    allot::arena request({.name = "request"});
    (void)request.allocate(allot::layout{16, 24});
}
