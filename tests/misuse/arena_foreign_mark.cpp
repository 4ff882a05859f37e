#include <allot/structure/arena.hpp>

void arena_foreign_mark() {
    allot::arena request({.name = "request"});
    allot::arena other({.name = "other"});
    request.rewind(other.mark());
}
