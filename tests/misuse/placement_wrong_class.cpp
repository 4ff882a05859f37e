#include <allot/governance/placement.hpp>
#include <array>

void placement_wrong_class() {
    std::array<std::byte, 256> bytes;
    allot::placement request({.name = "request", .inline_buffer = bytes});
    allot::placed_source locals(request, {.lives = allot::lifetime::call});
    allot::placed_source cached(request, {.lives = allot::lifetime::session});
    cached.deallocate(locals.allocate({.size = 100}), {.size = 100});
}
