// concurrent_typed_pool: a concurrent_pool that constructs and destroys objects of one type.
//
// Use it for objects of one type that come and go in many threads, or are made in one and destroyed in another. In
// one thread take typed_pool; for slots without a type concurrent_pool.
// Owns its pool; see there for what is borrowed, for the fatal lines, for limits and for growth. It does not destroy
// what still lives when it dies: that is a leak, and the observer is told.
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
#include <allot/structure/typed_pool.hpp>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

namespace allot {

struct concurrent_typed_pool_options {
    allot::name name = {};             // without one: the type's
    memory_source* upstream = nullptr; // default_source()
    std::uint64_t object_count_max = usage::unlimited;
    std::uint64_t limit_bytes = usage::unlimited; // of what is taken from upstream
    bool line_aligned = false;
    allot::observer* observer = nullptr;
};

template <class T>
class concurrent_typed_pool {
public:
    explicit concurrent_typed_pool(const concurrent_typed_pool_options& how = {}) noexcept
        : pool_({.name = how.name.view().empty() ? allot::name(detail::type_name<T>()) : how.name,
                 .slot = layout_of<T>(),
                 .upstream = how.upstream,
                 .slot_count_max = how.object_count_max,
                 .limit_bytes = how.limit_bytes,
                 .line_aligned = how.line_aligned,
                 .observer = how.observer}) {}

    // nullptr on shortage. What a constructor throws goes through, and the slot is free again.
    template <class... Arguments>
    [[nodiscard]] T*
    try_make(Arguments&&... arguments) noexcept(std::is_nothrow_constructible_v<T, Arguments...>) {
        return make_in(pool_.try_allocate(), std::forward<Arguments>(arguments)...);
    }
    // Throws: out_of_memory, and what the constructor throws.
    template <class... Arguments>
    [[nodiscard]] T* make(Arguments&&... arguments) {
        return make_in(pool_.allocate(), std::forward<Arguments>(arguments)...);
    }
    // Expects: an object of this pool that lives, or nullptr.
    void destroy(T* object) noexcept {
        if (!object) return;
        if constexpr (checks != check_level::off && !std::is_trivially_destructible_v<T>)
            pool_.expect_live(object); // before the destructor runs on something else
        object->~T();
        pool_.deallocate(object);
    }

    struct deleter {
        concurrent_typed_pool* from = nullptr; // borrowed
        void operator()(T* object) const noexcept { from->destroy(object); }
    };
    using unique = std::unique_ptr<T, deleter>;

    // Throws: out_of_memory, and what the constructor throws.
    template <class... Arguments>
    [[nodiscard]] unique make_unique(Arguments&&... arguments) {
        return unique(make(std::forward<Arguments>(arguments)...), deleter{this});
    }

    // For owns, usage, try_reserve, trim. Its slots are this pool's.
    concurrent_pool& raw() noexcept { return pool_; }
    const concurrent_pool& raw() const noexcept { return pool_; }

private:
    struct slot_guard { // gives the slot back when a constructor throws
        concurrent_pool& from;
        void* slot;
        ~slot_guard() {
            if (slot) from.deallocate(slot);
        }
    };

    template <class... Arguments>
    T* make_in(void* slot,
               Arguments&&... arguments) noexcept(std::is_nothrow_constructible_v<T, Arguments...>) {
        if (!slot) return nullptr;
        slot_guard guard{pool_, slot};
        T* made = nullptr;
        if constexpr (std::is_constructible_v<T, Arguments...>)
            made = ::new (slot) T(std::forward<Arguments>(arguments)...);
        else
            made = ::new (slot) T{std::forward<Arguments>(arguments)...}; // aggregates
        guard.slot = nullptr;
        return made;
    }

    concurrent_pool pool_;
};

} // namespace allot
