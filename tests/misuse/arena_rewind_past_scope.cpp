#include <allot/structure/arena.hpp>

void arena_rewind_past_scope() {
    allot::arena request({.name = "request"});
    const allot::arena_mark mark = request.mark();
    (void)request.allocate(16);
    allot::arena::scope open(request);
    request.rewind(mark);
}
