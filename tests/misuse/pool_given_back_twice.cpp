#include <allot/structure/pool.hpp>

int main() {
    allot::pool sessions({.name = "sessions", .slot = {.size = 64, .align = 8}});
    void* const first = sessions.allocate();
    void* const second = sessions.allocate();
    sessions.deallocate(first);
    sessions.deallocate(second);
    sessions.deallocate(first);
}
