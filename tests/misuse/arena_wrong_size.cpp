#include <allot/structure/arena.hpp>

void arena_wrong_size() {
    allot::arena request({.name = "request"});
    request.deallocate(request.allocate(48), 64);
}
