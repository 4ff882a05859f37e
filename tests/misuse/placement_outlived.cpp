// B15: a block of the inline buffer that is still out when its frame ends.
#include <allot/governance/placement.hpp>
#include <array>

void placement_outlived() {
    std::array<std::byte, 256> bytes;
    allot::placement request({.name = "request", .inline_buffer = bytes});
    (void)request.try_allocate({.size = 100}, {.lives = allot::lifetime::call});
}
