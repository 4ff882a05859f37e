#include <allot/core/checks.hpp>
#include <allot/source/null_source.hpp>

namespace allot {

void* null_source::do_try_allocate(layout wanted) noexcept {
    refused_count_.add(1);
    note_refusal({.who = name_, .kind = "null_source", .asked = wanted, .limit_bytes = 0});
    return nullptr;
}

void null_source::do_give_back(void* address, layout given) noexcept {
    ALLOT_CHECK(false, "null_source '", name_.view(), "': deallocate of ", address, " with ", given.size,
                " bytes, but it never gave a block");
}

source_traits null_source::do_traits() const noexcept { return {.thread_safe = true}; }

source_description null_source::do_describe() const noexcept {
    return {.name = name_, .kind = "null_source", .usage = usage()};
}

usage null_source::usage() const noexcept {
    return {.refused_count = refused_count_.load(), .limit_bytes = 0};
}

} // namespace allot
