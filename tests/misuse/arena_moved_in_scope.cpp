#include <allot/structure/arena.hpp>

void arena_moved_in_scope() {
    allot::arena request({.name = "request"});
    allot::arena::scope open(request);
    allot::arena moved(std::move(request));
}
