#include <allot/structure/tiered_pool.hpp>

void tiered_pool_foreign_block() {
    constexpr allot::size_tier tiers[] = {{.slot_bytes = 64, .slot_count = 4}};
    allot::tiered_pool texts({.name = "texts", .tiers = tiers});
    char text[40];
    texts.deallocate(text, {.size = 40, .align = 1});
}
