// concurrent_typed_pool: a concurrent_pool that constructs and destroys objects of one type.
//
// Use it for objects of one type that come and go in many threads, or are made in one and destroyed in
// another. In one thread take typed_pool; for slots without a type concurrent_pool.
// Owns its pool; see there for what is borrowed, for the fatal lines, for limits and for growth. It does not
// destroy what still lives when it dies: that is a leak, and the observer is told.
// Threads: any. What the constructor and destructor do is theirs.
// Cost: the pool's, and the constructor's or destructor's. A unique handle is two words.
//
//     struct job { int user; };
//     concurrent_typed_pool<job> jobs({.name = "jobs"});
//     job* first = jobs.make(1);
//     concurrent_typed_pool<job>::unique second = jobs.make_unique(2);
//     std::thread([&] { jobs.destroy(first); }).join();
//     assert(jobs.raw().usage().live_count == 1 && second->user == 2);
#pragma once

#include <allot/structure/concurrent_pool.hpp>
#include <allot/structure/typed_slots.hpp>

namespace allot {

struct concurrent_typed_pool_options {
    allot::name name = {};             // without one: the type's
    memory_source* upstream = nullptr; // default_source()
    std::uint64_t object_count_max = usage::unlimited;
    std::uint64_t limit_bytes = usage::unlimited; // of what is taken from upstream
    bool line_aligned = false;
    allot::observer* observer = nullptr;
};

// make, try_make, make_unique, try_make_unique, destroy, unique, and raw() for the pool: see typed_slots.
template <class T>
class concurrent_typed_pool : public detail::typed_slots<concurrent_pool, T> {
public:
    explicit concurrent_typed_pool(const concurrent_typed_pool_options& how = {}) noexcept
        : detail::typed_slots<concurrent_pool, T>(
              concurrent_pool_options{.name = detail::name_or_type<T>(how.name),
                                      .slot = layout_of<T>(),
                                      .upstream = how.upstream,
                                      .slot_count_max = how.object_count_max,
                                      .limit_bytes = how.limit_bytes,
                                      .line_aligned = how.line_aligned,
                                      .observer = how.observer}) {}
};

} // namespace allot
