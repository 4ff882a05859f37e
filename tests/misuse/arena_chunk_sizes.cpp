#include <allot/structure/arena.hpp>

int main() { allot::arena request({.name = "request", .chunk_bytes_max = 512}); }
