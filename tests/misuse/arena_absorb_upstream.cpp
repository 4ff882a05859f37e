#include <allot/source/malloc_source.hpp>
#include <allot/structure/arena.hpp>

int main() {
    allot::malloc_source one, two;
    allot::arena request({.name = "request", .upstream = &one});
    allot::arena part({.name = "part", .upstream = &two});
    return request.try_absorb(part);
}
