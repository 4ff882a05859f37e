#include <allot/structure/arena.hpp>

int main() {
    allot::arena request({.name = "request"});
    const allot::arena_mark mark = request.mark();
    (void)request.allocate(16);
    allot::arena::scope open(request);
    request.rewind(mark);
}
