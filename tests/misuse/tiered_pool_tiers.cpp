#include <allot/structure/tiered_pool.hpp>

void tiered_pool_tiers() {
    constexpr allot::size_tier tiers[] = {{.slot_bytes = 256, .slot_count = 4},
                                          {.slot_bytes = 64, .slot_count = 4}};
    allot::tiered_pool texts({.name = "texts", .tiers = tiers});
}
