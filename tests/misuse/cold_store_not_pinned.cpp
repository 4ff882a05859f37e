#include <allot/structure/cold_store.hpp>

int main() {
    allot::cold_store blocks({.name = "history"});
    const allot::cold_handle block = *blocks.put({});
    blocks.unpin(block);
}
