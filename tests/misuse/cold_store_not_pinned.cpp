#include <allot/structure/cold_store.hpp>

void cold_store_not_pinned() {
    allot::cold_store blocks({.name = "history"});
    const allot::cold_handle block = *blocks.put({});
    blocks.unpin(block);
}
