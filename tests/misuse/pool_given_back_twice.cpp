#include <allot/structure/pool.hpp>

void pool_given_back_twice() {
    allot::pool sessions({.name = "sessions", .slot = {.size = 64, .align = 8}});
    void* const first = sessions.allocate();
    void* const second = sessions.allocate();
    sessions.deallocate(first);
    sessions.deallocate(second);
    sessions.deallocate(first);
}
