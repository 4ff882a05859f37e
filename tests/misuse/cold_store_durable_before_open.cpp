#include <allot/structure/cold_store.hpp>

int main() {
    allot::cold_store blocks({.name = "history"});
    return blocks.put({}, {.durable = true}) ? 0 : 1;
}
