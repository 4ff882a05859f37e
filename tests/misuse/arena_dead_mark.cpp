#include <allot/structure/arena.hpp>

void arena_dead_mark() {
    allot::arena request({.name = "request"});
    (void)request.allocate(16);
    const allot::arena_mark mark = request.mark();
    request.reset();
    request.rewind(mark);
}
