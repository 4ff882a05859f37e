#include <allot/structure/pool.hpp>

int main() {
    allot::pool sessions({.name = "sessions", .slot = {.size = 64, .align = 8}});
    sessions.deallocate(sessions.allocate(), {.size = 100, .align = 8});
}
