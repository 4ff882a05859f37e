#include <allot/structure/arena.hpp>

void arena_reset_in_scope() {
    allot::arena request({.name = "request"});
    allot::arena::scope open(request);
    request.reset();
}
