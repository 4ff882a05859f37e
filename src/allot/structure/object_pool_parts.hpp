// object_pool_parts: what the pools of objects have in common: options, counts, the node of an object, cold
// paths.
//
// Inner part of object_pool and concurrent_object_pool; of it object_pool_options and object_counts are for
// users.
// Owns nothing. Threads: values; the cold paths from any thread.
#pragma once

#include <allot/core/checks.hpp>
#include <allot/core/memory_source.hpp>
#include <allot/core/name.hpp>
#include <allot/core/observer.hpp>
#include <allot/core/poison.hpp>
#include <cstddef>
#include <cstdint>
#include <new>

namespace allot {

struct object_pool_options {
    allot::name name = {};             // without one: the type's
    memory_source* upstream = nullptr; // default_source()
    std::uint64_t kept_count_max = 1024;
    std::uint64_t out_count_max = usage::unlimited; // and of all objects, out and kept together
    // Keeps what the demand of the last operations says (demand.hpp), kept_count_max at most.
    bool follows_demand = false;
    allot::observer* observer = nullptr; // is told when the pool dies with objects out
};

// created + given == out + kept + discarded + taken; acquired == out + returned + taken.
struct object_counts {
    std::uint64_t created = 0;   // by the care
    std::uint64_t acquired = 0;  // handed out
    std::uint64_t missed = 0;    // of these: none was kept, and one had to be made
    std::uint64_t returned = 0;  // came back, to be kept or discarded
    std::uint64_t discarded = 0; // destroyed, for whatever reason, trim() included
    std::uint64_t taken = 0;     // left the pool by value
    std::uint64_t given = 0;     // came into the pool by value
    std::uint64_t refused = 0;   // by out_count_max, or for want of memory
    std::uint64_t out = 0;       // now
    std::uint64_t kept = 0;      // now

    // The share of what was acquired that needed no making; 0 before the first.
    double hit_rate() const noexcept {
        return acquired == 0 ? 0.0 : static_cast<double>(acquired - missed) / static_cast<double>(acquired);
    }
};

namespace detail {

// An object and, before it, a word that says where it is: kept (the next one that is kept), out (the pool),
// gone.
template <class T>
struct object_node {
    std::uintptr_t link;
    alignas(T) std::byte bytes[sizeof(T)];

    static constexpr std::uintptr_t gone = 1, kept = 2;
    static constexpr std::size_t offset = align_up(sizeof(std::uintptr_t), alignof(T));

    T* object() noexcept { return std::launder(reinterpret_cast<T*>(bytes)); }
    static object_node* of(T* object) noexcept {
        return reinterpret_cast<object_node*>(reinterpret_cast<std::byte*>(object) - offset);
    }
    // A kept object is dead to everybody, and yet its bytes must last: they are marked, never filled.
    void mark_kept() noexcept {
        if constexpr (poisons) mark_dead(bytes, sizeof bytes, false);
    }
    void mark_used() noexcept { allot::mark_live(bytes, sizeof bytes); }
};

// The cold paths of the pools of objects.
[[noreturn, gnu::cold]] void fatal_not_out(const char* kind, const allot::name& who,
                                           const void* object) noexcept;
[[gnu::cold]] void tell_objects_out(const char* kind, const allot::name& who, allot::observer* to,
                                    std::uint64_t count, std::size_t object_size) noexcept;
[[gnu::cold]] void note_object_limit(const char* kind, const allot::name& who, layout object,
                                     std::uint64_t count_max, std::uint64_t live_count) noexcept;

} // namespace detail

} // namespace allot
