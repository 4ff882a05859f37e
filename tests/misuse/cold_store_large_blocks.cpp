#include <allot/structure/cold_store.hpp>

int main() {
    allot::cold_store blocks({.name = "history", .hot_bytes_max = 1000, .block_bytes_max = 1001});
    return blocks.count() == 0 ? 0 : 1;
}
