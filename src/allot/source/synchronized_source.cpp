#include <allot/source/synchronized_source.hpp>

namespace allot {

void* synchronized_source::do_try_allocate(layout wanted) noexcept {
    const std::lock_guard hold(lock_);
    void* const address = upstream_.try_allocate(wanted);
    if (!address) refused_count_.add(1);
    return address;
}

block synchronized_source::do_try_allocate_at_least(layout wanted) noexcept {
    const std::lock_guard hold(lock_);
    const block given = upstream_.try_allocate_at_least(wanted);
    if (!given) refused_count_.add(1);
    return given;
}

void synchronized_source::do_give_back(void* address, layout given) noexcept {
    const std::lock_guard hold(lock_);
    upstream_.deallocate(address, given);
}

bool synchronized_source::do_try_resize(void* address, layout given, std::size_t new_size) noexcept {
    const std::lock_guard hold(lock_);
    return upstream_.try_resize(address, given, new_size);
}

void* synchronized_source::do_try_reallocate(void* address, layout given, std::size_t new_size) noexcept {
    const std::lock_guard hold(lock_);
    void* const moved = upstream_.try_reallocate(address, given, new_size);
    if (!moved) refused_count_.add(1);
    return moved;
}

std::size_t synchronized_source::do_good_size(layout wanted) const noexcept {
    return upstream_.good_size(wanted);
}

source_traits synchronized_source::do_traits() const noexcept {
    source_traits all = upstream_.traits();
    all.thread_safe = true;
    return all;
}

source_description synchronized_source::do_describe() const noexcept {
    return {.name = name_, .kind = "synchronized_source", .upstream = &upstream_, .usage = usage()};
}

} // namespace allot
