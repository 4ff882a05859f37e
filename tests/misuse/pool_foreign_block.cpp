#include <allot/structure/pool.hpp>

void pool_foreign_block() {
    allot::pool sessions({.name = "sessions", .slot = {.size = 64, .align = 8}});
    allot::pool others({.name = "others", .slot = {.size = 64, .align = 8}});
    (void)sessions.allocate();
    sessions.deallocate(others.allocate());
}
