#include <allot/structure/cold_store.hpp>
#include <allot/testing/memory_store.hpp>

void cold_store_open_with_blocks() {
    allot::memory_store disk;
    allot::cold_store blocks({.name = "history", .store = &disk});
    if (!blocks.put({})) return;
    (void)blocks.open();
}
