#include <allot/structure/arena.hpp>
#include <allot/structure/concurrent_interner.hpp>

int main() {
    allot::arena below;
    allot::concurrent_interner names({.name = "names", .upstream = &below});
}
