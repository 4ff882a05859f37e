#include <allot/structure/tiered_pool.hpp>

void tiered_pool_inside_slot() {
    constexpr allot::size_tier tiers[] = {{.slot_bytes = 64, .slot_count = 4}};
    allot::tiered_pool texts({.name = "texts", .tiers = tiers});
    char* const text = static_cast<char*>(texts.allocate({.size = 40, .align = 1}));
    texts.deallocate(text + 16, {.size = 24, .align = 1});
}
