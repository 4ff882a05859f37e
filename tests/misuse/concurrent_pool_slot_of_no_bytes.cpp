#include <allot/structure/concurrent_pool.hpp>

int main() { allot::concurrent_pool jobs({.name = "jobs", .slot = {.size = 0}}); }
