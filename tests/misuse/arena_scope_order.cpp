#include <allot/structure/arena.hpp>
#include <memory>

int main() {
    allot::arena request({.name = "request"});
    (void)request.allocate(16);
    auto outer = std::make_unique<allot::arena::scope>(request);
    allot::arena::scope inner(request);
    outer.reset();
}
