#include <allot/structure/aligned_buffer.hpp>

namespace allot::detail {

bool try_reserve(aligned_block& of, std::size_t wanted, std::size_t align, bool exactly) noexcept {
    if (wanted <= of.capacity) return true;
    if (!exactly && of.capacity <= wanted - of.capacity) exactly = true; // more than the double is wanted
    std::size_t capacity = exactly ? wanted : 2 * of.capacity; // a capacity is a ptrdiff_t: no overflow
    if (!checked_align_up(capacity, align, capacity)) capacity = static_cast<std::size_t>(-1);
    const layout held{of.capacity, align};
    if (of.data) allot::mark_live(of.data, of.capacity); // a source may copy all of it
    void* const data = of.data ? of.source->try_reallocate(of.data, held, capacity)
                               : of.source->try_allocate({capacity, align});
    if (data) {
        of.data = static_cast<std::byte*>(data);
        of.capacity = capacity;
    }
    if (of.data) allot::mark_dead(of.data + of.size, of.capacity - of.size);
    return data;
}

void release(aligned_block& of, std::size_t align) noexcept {
    if (!of.data) return;
    allot::mark_live(of.data, of.capacity);
    of.source->deallocate(of.data, {of.capacity, align});
    of = {.source = of.source};
}

} // namespace allot::detail
