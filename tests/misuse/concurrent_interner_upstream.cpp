#include <allot/structure/arena.hpp>
#include <allot/structure/concurrent_interner.hpp>

void concurrent_interner_upstream() {
    allot::arena below;
    allot::concurrent_interner names({.name = "names", .upstream = &below});
}
