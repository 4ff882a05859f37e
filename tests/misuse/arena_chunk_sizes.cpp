#include <allot/structure/arena.hpp>

void arena_chunk_sizes() { allot::arena request({.name = "request", .chunk_bytes_max = 512}); }
