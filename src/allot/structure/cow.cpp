#include <allot/structure/cow.hpp>

namespace allot::detail {

std::uint32_t thread_of_handles(std::uint32_t noted, std::uint32_t local, const void* value) noexcept {
    const std::uint32_t here = take_thread_slot();
    ALLOT_EXPECT(local == 1 || noted == 0 || here == 0 || noted == here, "cow: the value at ", value,
                 " is used by handles of two threads; share() it");
    return here;
}

void expect_thread_safe(const memory_source& source) noexcept {
    ALLOT_EXPECT(source.traits().thread_safe, "concurrent_cow: source '", source.describe().name.view(),
                 "' is not thread_safe");
}

} // namespace allot::detail
