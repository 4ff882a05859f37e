#include <allot/structure/concurrent_arena.hpp>

void concurrent_arena_upstream() {
    allot::arena below;
    allot::concurrent_arena graph({.name = "graph", .upstream = &below});
}
