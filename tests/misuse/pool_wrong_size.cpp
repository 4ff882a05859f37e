#include <allot/structure/pool.hpp>

void pool_wrong_size() {
    allot::pool sessions({.name = "sessions", .slot = {.size = 64, .align = 8}});
    sessions.deallocate(sessions.allocate(), {.size = 100, .align = 8});
}
