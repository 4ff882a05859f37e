#include <algorithm>
#include <allot/source/fallback_source.hpp>
#include <cstring>

namespace allot {

void* fallback_source::do_try_allocate(layout wanted) noexcept {
    void* const address = first_.try_allocate(wanted);
    return address ? address : fall_back(wanted);
}

void* fallback_source::fall_back(layout wanted) noexcept {
    void* const address = second_.try_allocate(wanted);
    (address ? fallback_count_ : refused_count_).add(1);
    return address;
}

void fallback_source::do_give_back(void* address, layout given) noexcept {
    owner_of(address).deallocate(address, given);
}

bool fallback_source::do_try_resize(void* address, layout given, std::size_t new_size) noexcept {
    return owner_of(address).try_resize(address, given, new_size);
}

void* fallback_source::do_try_reallocate(void* address, layout given, std::size_t new_size) noexcept {
    memory_source& owner = owner_of(address);
    if (void* const moved = owner.try_reallocate(address, given, new_size)) return moved;
    if (&owner == &second_) {
        refused_count_.add(1);
        return nullptr;
    }
    void* const moved = fall_back({new_size, given.align});
    if (!moved) return nullptr;
    std::memcpy(moved, address, std::min(given.size, new_size));
    first_.deallocate(address, given);
    return moved;
}

std::size_t fallback_source::do_good_size(layout wanted) const noexcept {
    for (;;) {
        const std::size_t good = std::max(first_.good_size(wanted), second_.good_size(wanted));
        if (good == wanted.size) return good;
        wanted.size = good; // what the one rounds up to, the other may not call good
    }
}

source_traits fallback_source::do_traits() const noexcept {
    const source_traits a = first_.traits(), b = second_.traits();
    return {.thread_safe = a.thread_safe && b.thread_safe,
            .zeroed = a.zeroed && b.zeroed,
            .bulk_free = a.bulk_free && b.bulk_free,
            .moves = a.moves && b.moves};
}

source_description fallback_source::do_describe() const noexcept {
    return {.name = name_, .kind = "fallback_source", .upstream = &first_, .usage = usage()};
}

} // namespace allot
