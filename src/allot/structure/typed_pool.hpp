// typed_pool: a pool that constructs and destroys objects of one type.
//
// Use it for objects of one type that come and go singly. For slots without a type take pool; for handles that
// survive a growing store take slot_map; for objects that all go at once take arena.
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
#include <memory>
#include <new>
#include <string_view>
#include <type_traits>
#include <utility>

namespace allot {

namespace detail {

// "session" of "… type_name() [with T = net::session; …]": the last part of the name, template arguments whole.
constexpr std::string_view last_part(std::string_view type) noexcept {
    std::size_t depth = 0;
    for (std::size_t i = type.size(); i-- != 0;) {
        if (type[i] == '>') ++depth;
        if (type[i] == '<') --depth;
        if (depth == 0 && i != 0 && type[i] == ':') return type.substr(i + 1);
    }
    return type;
}

template <class T>
constexpr std::string_view type_name() noexcept {
    const std::string_view text = __PRETTY_FUNCTION__;
    const std::size_t from = text.find("T = ") + 4;
    const std::size_t semicolon = text.find("; std::string_view = ", from);
    const std::size_t to = semicolon != std::string_view::npos ? semicolon : text.size() - 1;
    return last_part(text.substr(from, to - from));
}

} // namespace detail

struct typed_pool_options {
    allot::name name = {};             // without one: the type's
    memory_source* upstream = nullptr; // default_source()
    std::uint64_t object_count = 1024; // so many live at most; where it grows: in the first slab
    bool grows = false;
    std::uint64_t limit_bytes = usage::unlimited; // of what is taken from upstream
    bool line_aligned = false;
    allot::observer* observer = nullptr;
};

template <class T>
class typed_pool {
public:
    explicit typed_pool(const typed_pool_options& options = {}) noexcept : pool_(pool_options_of(options)) {}

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
        typed_pool* from = nullptr; // borrowed
        void operator()(T* object) const noexcept { from->destroy(object); }
    };
    using unique = std::unique_ptr<T, deleter>;

    // Throws: out_of_memory, and what the constructor throws.
    template <class... Arguments>
    [[nodiscard]] unique make_unique(Arguments&&... arguments) {
        return unique(make(std::forward<Arguments>(arguments)...), deleter{this});
    }
    // Empty on shortage.
    template <class... Arguments>
    [[nodiscard]] unique
    try_make_unique(Arguments&&... arguments) noexcept(std::is_nothrow_constructible_v<T, Arguments...>) {
        return unique(try_make(std::forward<Arguments>(arguments)...), deleter{this});
    }

    // For owns, usage, try_reserve, trim. Its slots are this pool's.
    pool& raw() noexcept { return pool_; }
    const pool& raw() const noexcept { return pool_; }

private:
    struct slot_guard { // gives the slot back when a constructor throws
        pool& from;
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
        T* const made = [&] {
            if constexpr (std::is_constructible_v<T, Arguments...>)
                return ::new (slot) T(std::forward<Arguments>(arguments)...);
            else
                return ::new (slot) T{std::forward<Arguments>(arguments)...}; // aggregates
        }();
        guard.slot = nullptr;
        return made;
    }

    static pool_options pool_options_of(const typed_pool_options& how) noexcept {
        return {.name = how.name.view().empty() ? allot::name(detail::type_name<T>()) : how.name,
                .slot = layout_of<T>(),
                .upstream = how.upstream,
                .slot_count_max = how.grows ? usage::unlimited : how.object_count,
                .limit_bytes = how.limit_bytes,
                .slab_slot_count = how.object_count,
                .line_aligned = how.line_aligned,
                .observer = how.observer};
    }

    pool pool_;
};

} // namespace allot
