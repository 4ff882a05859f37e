#include <allot/structure/pool.hpp>

void pool_inside_slot() {
    allot::pool sessions({.name = "sessions", .slot = {.size = 64, .align = 8}});
    sessions.deallocate(static_cast<char*>(sessions.allocate()) + 16);
}
