#include <allot/structure/arena.hpp>
#include <memory>

void arena_scope_order() {
    allot::arena request({.name = "request"});
    (void)request.allocate(16);
    auto outer = std::make_unique<allot::arena::scope>(request);
    allot::arena::scope inner(request);
    outer.reset();
}
