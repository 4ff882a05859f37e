#include <allot/structure/cold_store.hpp>

int main() {
    allot::cold_store blocks({.name = "history"});
    const allot::cold_handle block = *blocks.put({});
    if (!blocks.pin(block)) return 1;
    blocks.erase(block);
}
