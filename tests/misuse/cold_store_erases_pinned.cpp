#include <allot/structure/cold_store.hpp>

void cold_store_erases_pinned() {
    allot::cold_store blocks({.name = "history"});
    const allot::cold_handle block = *blocks.put({});
    if (!blocks.pin(block)) return;
    blocks.erase(block);
}
