#include <allot/structure/cold_store.hpp>

void cold_store_durable_before_open() {
    allot::cold_store blocks({.name = "history"});
    (void)blocks.put({}, {.durable = true});
}
