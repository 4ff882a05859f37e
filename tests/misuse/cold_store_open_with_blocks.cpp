#include <allot/structure/cold_store.hpp>
#include <allot/testing/memory_store.hpp>

int main() {
    allot::memory_store disk;
    allot::cold_store blocks({.name = "history", .store = &disk});
    if (!blocks.put({})) return 1;
    return blocks.open() ? 0 : 1;
}
