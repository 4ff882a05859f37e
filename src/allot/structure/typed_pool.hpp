// typed_pool: a pool that constructs and destroys objects of one type.
//
// Use it for objects of one type that come and go singly. For slots without a type take pool; for handles
// that survive a growing store take slot_map; for objects that all go at once take arena.
// Owns its pool; see there for what is borrowed, for the fatal lines and for growth. It does not destroy what
// still lives when it dies: that is a leak, and the observer is told.
// Threads: compatible (one thread at a time).
// Cost: the pool's, and the constructor's or destructor's. A unique handle is two words.
//
//     struct session { int user; };
//     typed_pool<session> sessions({.object_count = 2});
//     session* first = sessions.make(1);
//     typed_pool<session>::unique second = sessions.make_unique(2);
//     assert(sessions.try_make(3) == nullptr); // exhausted
//     sessions.destroy(first);
//     assert(sessions.make(3) == first && second->user == 2);
//     assert(sessions.raw().name().view() == "session");
#pragma once

#include <allot/structure/pool.hpp>
#include <allot/structure/typed_slots.hpp>

namespace allot {

struct typed_pool_options {
    allot::name name = {};             // without one: the type's
    memory_source* upstream = nullptr; // default_source()
    std::uint64_t object_count = 1024; // so many live at most; where it grows: in the first slab
    bool grows = false;
    std::uint64_t limit_bytes = usage::unlimited; // of what is taken from upstream
    bool line_aligned = false;
    allot::observer* observer = nullptr;
};

// make, try_make, make_unique, try_make_unique, destroy, unique, and raw() for the pool: see typed_slots.
template <class T>
class typed_pool : public detail::typed_slots<pool, T> {
public:
    explicit typed_pool(const typed_pool_options& how = {}) noexcept
        : detail::typed_slots<pool, T>(
              pool_options{.name = detail::name_or_type<T>(how.name),
                           .slot = layout_of<T>(),
                           .upstream = how.upstream,
                           .slot_count_max = how.grows ? usage::unlimited : how.object_count,
                           .limit_bytes = how.limit_bytes,
                           .slab_slot_count = how.object_count,
                           .line_aligned = how.line_aligned,
                           .observer = how.observer}) {}
};

} // namespace allot
