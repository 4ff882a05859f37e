#include <allot/structure/concurrent_arena.hpp>

int main() {
    allot::arena below;
    allot::concurrent_arena graph({.name = "graph", .upstream = &below});
}
