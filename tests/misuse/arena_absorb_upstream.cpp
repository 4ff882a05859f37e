#include <allot/source/malloc_source.hpp>
#include <allot/structure/arena.hpp>

void arena_absorb_upstream() {
    allot::malloc_source one, two;
    allot::arena request({.name = "request", .upstream = &one});
    allot::arena part({.name = "part", .upstream = &two});
    (void)request.try_absorb(part);
}
