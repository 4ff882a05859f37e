#include <algorithm>
#include <allot/core/poison.hpp>
#include <allot/source/malloc_source.hpp>
#include <cstdlib>
#include <cstring>

namespace allot {
namespace {

// C promises the alignment of max_align_t only to sizes that could need it.
std::size_t malloc_size(layout wanted) noexcept { return std::max(wanted.size, wanted.align); }

bool malloc_aligns(layout wanted) noexcept { return wanted.align <= alignof(std::max_align_t); }

// malloc's own tools watch dead blocks; where there is none, level full fills them.
void fill_fresh(void* address, std::size_t size) noexcept {
    if constexpr (checks == check_level::full) mark_fresh(address, size);
}
void fill_dead(void* address, std::size_t size) noexcept {
    if constexpr (checks == check_level::full && !ALLOT_HAS_ASAN) std::memset(address, 0xDD, size);
}

} // namespace

void* malloc_source::do_try_allocate(layout wanted) noexcept {
    void* address = nullptr;
    if (malloc_aligns(wanted)) {
        address = std::malloc(malloc_size(wanted));
    } else if (::posix_memalign(&address, wanted.align, wanted.size) != 0) {
        address = nullptr;
    }
    if (!address) [[unlikely]] {
        refuse(wanted);
        return nullptr;
    }
    fill_fresh(address, wanted.size);
    return address;
}

void malloc_source::do_give_back(void* address, layout given) noexcept {
    fill_dead(address, given.size);
    std::free(address);
}

void* malloc_source::do_try_reallocate(void* address, layout given, std::size_t new_size) noexcept {
    const layout wanted{new_size, given.align};
    if (!malloc_aligns(given)) return memory_source::do_try_reallocate(address, given, new_size);
    void* const moved = std::realloc(address, malloc_size(wanted));
    if (!moved) [[unlikely]]
        refuse(wanted);
    return moved;
}

source_traits malloc_source::do_traits() const noexcept { return {.thread_safe = true, .moves = true}; }

source_description malloc_source::do_describe() const noexcept {
    return {.name = name_, .kind = "malloc_source", .usage = usage()};
}

usage malloc_source::usage() const noexcept { return {.refused_count = refused_count_.load()}; }

void malloc_source::refuse(layout wanted) noexcept {
    refused_count_.add(1);
    note_refusal({.who = name_, .kind = "malloc_source", .asked = wanted});
}

} // namespace allot
