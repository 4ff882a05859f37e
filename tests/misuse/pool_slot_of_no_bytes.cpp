#include <allot/structure/pool.hpp>

void pool_slot_of_no_bytes() { allot::pool sessions({.name = "sessions", .slot = {.size = 0}}); }
