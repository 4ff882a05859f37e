#include <allot/structure/pool.hpp>

void pool_use_after_free() {
    allot::pool sessions({.name = "sessions", .slot = {.size = 64, .align = 8}});
    auto* const count = static_cast<volatile int*>(sessions.allocate());
    *count = 1;
    sessions.deallocate(const_cast<int*>(count));
    allot::mark_live(const_cast<int*>(count), sizeof *count); // as if no sanitizer saw the next line
    *count = 0;
    (void)sessions.allocate();
}
