#include <allot/structure/cold_store.hpp>

void cold_store_large_blocks() {
    allot::cold_store blocks({.name = "history", .hot_bytes_max = 1000, .block_bytes_max = 1001});
    (void)blocks.count();
}
