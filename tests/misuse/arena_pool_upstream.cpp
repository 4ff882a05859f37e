#include <allot/structure/arena_pool.hpp>

void arena_pool_upstream() {
    allot::arena below;
    allot::arena_pool requests({.name = "request", .upstream = &below});
}
