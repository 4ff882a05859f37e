#include <allot/structure/cold_store.hpp>

void cold_store_open_without_store() {
    allot::cold_store blocks({.name = "history"});
    (void)blocks.open();
}
