// typed_slots: objects of one type in the slots of a pool; what typed_pool, concurrent_typed_pool and
// concurrent_bounded_typed_pool have in common.
//
// For these alone; see there. Owns the pool. Threads: as the pool. Cost: the pool's, and the constructor's or
// destructor's; a unique handle is two words.
#pragma once

#include <allot/core/checks.hpp>
#include <allot/core/name.hpp>
#include <memory>
#include <new>
#include <string_view>
#include <type_traits>
#include <utility>

namespace allot::detail {

// "session" of "… type_name() [with T = net::session; …]": the last part of the name, template arguments
// whole.
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

// The given name, or without one the type's.
template <class T>
allot::name name_or_type(const allot::name& given) noexcept {
    return given.view().empty() ? allot::name(type_name<T>()) : given;
}

template <class Pool, class T>
class typed_slots {
public:
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
        typed_slots* from = nullptr; // borrowed
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

    // For owns, usage and what else the pool can do. Its slots are this one's.
    Pool& raw() noexcept { return pool_; }
    const Pool& raw() const noexcept { return pool_; }

protected:
    template <class Options>
    explicit typed_slots(const Options& options) noexcept : pool_(options) {}
    ~typed_slots() = default;

private:
    struct slot_guard { // gives the slot back when a constructor throws
        Pool& from;
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

    Pool pool_;
};

} // namespace allot::detail
