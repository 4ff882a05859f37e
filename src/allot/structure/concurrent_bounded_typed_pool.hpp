// concurrent_bounded_typed_pool: a concurrent_bounded_pool that constructs and destroys objects of one type.
//
// Use it where threads share a hard bound of objects: connections, workers, sessions. Without a bound, or
// where threads may keep free slots for themselves, take concurrent_typed_pool; in one thread typed_pool.
// Owns its pool; see there for what is borrowed and for the fatal lines. It takes all its memory when it is
// created. It does not destroy what still lives when it dies: that is a leak, and the observer is told.
// Threads: any. What the constructor and destructor do is theirs.
// Cost: the pool's, and the constructor's or destructor's. A unique handle is two words.
//
//     struct connection { int user; };
//     concurrent_bounded_typed_pool<connection> connections({.name = "connections", .object_count = 2});
//     connection* first = connections.make(1);
//     concurrent_bounded_typed_pool<connection>::unique second = connections.make_unique(2);
//     assert(connections.try_make(3) == nullptr); // exhausted
//     std::thread([&] { connections.destroy(first); }).join();
//     assert(connections.make(3) == first && second->user == 2);
#pragma once

#include <allot/structure/concurrent_bounded_pool.hpp>
#include <allot/structure/typed_slots.hpp>

namespace allot {

struct concurrent_bounded_typed_pool_options {
    allot::name name = {};             // without one: the type's
    std::uint64_t object_count = 1024; // so many live at most
    memory_source* upstream = nullptr; // default_source()
    bool line_aligned = false;
    allot::observer* observer = nullptr;
};

// make, try_make, make_unique, try_make_unique, destroy, unique, and raw() for the pool: see typed_slots.
template <class T>
class concurrent_bounded_typed_pool : public detail::typed_slots<concurrent_bounded_pool, T> {
public:
    explicit concurrent_bounded_typed_pool(const concurrent_bounded_typed_pool_options& how = {}) noexcept
        : detail::typed_slots<concurrent_bounded_pool, T>(
              concurrent_bounded_pool_options{.name = detail::name_or_type<T>(how.name),
                                              .slot = layout_of<T>(),
                                              .slot_count = how.object_count,
                                              .upstream = how.upstream,
                                              .line_aligned = how.line_aligned,
                                              .observer = how.observer}) {}
};

} // namespace allot
