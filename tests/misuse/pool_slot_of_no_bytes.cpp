#include <allot/structure/pool.hpp>

int main() { allot::pool sessions({.name = "sessions", .slot = {.size = 0}}); }
