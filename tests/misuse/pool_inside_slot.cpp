#include <allot/structure/pool.hpp>

int main() {
    allot::pool sessions({.name = "sessions", .slot = {.size = 64, .align = 8}});
    sessions.deallocate(static_cast<char*>(sessions.allocate()) + 16);
}
