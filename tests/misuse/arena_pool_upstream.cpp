#include <allot/structure/arena_pool.hpp>

int main() {
    allot::arena below;
    allot::arena_pool requests({.name = "request", .upstream = &below});
}
