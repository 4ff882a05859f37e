#include <allot/structure/tiered_pool.hpp>

void tiered_pool_given_back_twice() {
    constexpr allot::size_tier tiers[] = {{.slot_bytes = 64, .slot_count = 4}};
    allot::tiered_pool texts({.name = "texts", .tiers = tiers});
    void* const text = texts.allocate({.size = 40, .align = 1});
    texts.deallocate(text, {.size = 40, .align = 1});
    texts.deallocate(text, {.size = 40, .align = 1});
}
