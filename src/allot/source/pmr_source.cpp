#include <allot/source/pmr_source.hpp>

namespace allot {

void* pmr_source::do_try_allocate(layout wanted) noexcept {
    const std::uint64_t noted = refusals_noted();
    try {
        return upstream_.allocate(do_good_size(wanted), wanted.align);
    } catch (...) {
        // Whatever it was, there is no block: the next words say so in allot's way.
    }
    refused_count_.add(1);
    // The resource may lead back to a memory_source, which has spoken already.
    if (refusals_noted() == noted) note_refusal({.who = how_.name, .kind = "pmr_source", .asked = wanted});
    return nullptr;
}

void pmr_source::do_give_back(void* address, layout given) noexcept {
    upstream_.deallocate(address, do_good_size(given), given.align);
}

std::size_t pmr_source::do_good_size(layout wanted) const noexcept {
    return align_up(wanted.size, wanted.align);
}

source_traits pmr_source::do_traits() const noexcept {
    return {.thread_safe = how_.thread_safe, .bulk_free = how_.bulk_free};
}

source_description pmr_source::do_describe() const noexcept {
    return {.name = how_.name, .kind = "pmr_source", .usage = usage()};
}

} // namespace allot
