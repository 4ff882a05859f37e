#include <allot/structure/object_pool.hpp>

namespace allot::detail {

void fatal_not_out(const char* kind, const allot::name& who, const void* object) noexcept {
    fatal({kind, " '", who.view(), "': ", object, " is no object that is out"});
}

void tell_objects_out(const char* kind, const allot::name& who, allot::observer* to, std::uint64_t count,
                      std::size_t object_size) noexcept {
    if (to) {
        to->observe({.what = event::type::unbalanced,
                     .who = who,
                     .kind = kind,
                     .bytes = count * object_size,
                     .count = count});
    }
    ALLOT_CHECK(count == 0, kind, " '", who.view(), "': died with ", count, " objects out");
}

void note_object_limit(const char* kind, const allot::name& who, layout object, std::uint64_t count_max,
                       std::uint64_t live_count) noexcept {
    note_refusal({.who = who,
                  .kind = kind,
                  .asked = object,
                  .limit_bytes = count_max * object.size,
                  .live_bytes = live_count * object.size});
}

} // namespace allot::detail
