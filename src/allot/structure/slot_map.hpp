// slot_map: values of one type behind handles of index and generation: a handle outlives its value
// harmlessly.
//
// Use it for objects that others name for longer than they live: entities, sessions, connections, nodes of a
// graph that changes. For plain pointers take typed_pool; for values that all go at once arena; to run
// through single fields of all of them soa.
// Owns its segments: they go upstream by trim(), compact(), release() or with the map, which destroys what
// lives.
// Borrows upstream. A value keeps its address until it is erased or compact() moves it.
// Handles stay safe through everything: the generation of a slot only grows, and a slot that has had
// generation_max is retired rather than begun again.
// Threads: compatible (one thread at a time).
// Cost: get() takes 10 instructions, an erase and an emplace about 100. Beside a value lie 8 bytes of its own
// and 1/4 byte of words, in segments of about 32 KiB (SegmentSlots). Of values aligned to more than 16, as
// with alignas(64) for lines of their own, the 8 bytes lie apart: another cache line for each look-up. In a
// packed segment a look-up also counts its rank, and a value takes about 4.4 bytes.
//
// What T's constructors and destructors do with the map itself: insert, look up and erase; nothing else.
//
// Fatal:
//     slot_map 'NAME': handle INDEX:GENERATION is stale                      (at())
//
//     slot_map<std::string> names({.name = "names"});
//     slot_handle<std::string> first = names.emplace("Ada");
//     slot_handle<std::string> second = names.insert("Grace");
//     assert(*names.get(first) == "Ada" && names.at(second).size() == 5);
//     assert(names.erase(first) && !names.erase(first));
//     slot_handle<std::string> third = names.emplace("Barbara"); // takes the same slot
//     assert(names.get(first) == nullptr && third.index() == first.index());
//     for (std::string& name : names) name += "!";
//     assert(names.count() == 2 && names.at(third) == "Barbara!");
#pragma once

#include <allot/structure/slot_handle.hpp>
#include <allot/structure/slot_map_parts.hpp>
#include <concepts>
#include <memory>
#include <type_traits>
#include <utility>

namespace allot {

template <class T, std::uint32_t SegmentSlots = detail::slot_count_for(sizeof(T))>
class slot_map : private detail::slot_store<T, SegmentSlots> {
    using store = detail::slot_store<T, SegmentSlots>;
    using typename store::index;

public:
    using handle = slot_handle<T>;
    using value_type = T;
    using iterator = detail::slot_iterator<store, T>;
    using const_iterator = detail::slot_iterator<const store, const T>;

    // Takes nothing from upstream yet.
    explicit slot_map(const slot_map_options& options = {}) noexcept : store(options) {}
    ~slot_map() { this->destroy_all(); }

    // A null handle on shortage, with last_refusal(). What a constructor throws goes through, nothing
    // changed.
    template <class... Arguments>
    [[nodiscard]] handle
    try_emplace(Arguments&&... arguments) noexcept(std::is_nothrow_constructible_v<T, Arguments...>) {
        const index slot = this->take_slot();
        if (slot == store::no_slot) [[unlikely]]
            return {};
        return this->construct(slot, std::forward<Arguments>(arguments)...);
    }
    // Throws: out_of_memory, and what the constructor throws.
    template <class... Arguments>
    handle emplace(Arguments&&... arguments) {
        const index slot = this->take_slot();
        if (slot == store::no_slot) [[unlikely]]
            throw_out_of_memory();
        return this->construct(slot, std::forward<Arguments>(arguments)...);
    }
    handle insert(const T& value) { return emplace(value); }
    handle insert(T&& value) { return emplace(std::move(value)); }

    // nullptr where the value is gone, and for a null handle.
    T* get(handle wanted) noexcept { return this->find(wanted); }
    const T* get(handle wanted) const noexcept { return this->find(wanted); }
    bool contains(handle wanted) const noexcept { return get(wanted) != nullptr; }
    // Where a stale handle is a bug.
    T& at(handle wanted) noexcept { return *found(wanted); }
    const T& at(handle wanted) const noexcept { return *found(wanted); }

    // Destroys the value. False where it is gone already. Allowed while iterating, for any value.
    bool erase(handle gone) noexcept { return store::erase(gone); }
    // Returns how many went.
    template <std::predicate<T&> Predicate>
    std::uint64_t erase_if(Predicate goes) {
        const std::uint64_t before = count();
        for (iterator each = begin(); each != end(); ++each)
            if (goes(*each)) erase(each.handle());
        return before - count();
    }
    // Destroys all values; every handle is stale. Keeps the segments.
    void clear() noexcept {
        for (iterator each = begin(); each != end(); ++each) erase(each.handle());
    }
    // … and gives the segments upstream.
    void release() noexcept {
        clear();
        (void)trim();
    }

    // In the order of slots. What is inserted meanwhile may be met or not.
    iterator begin() noexcept { return iterator(*this, 0); }
    const_iterator begin() const noexcept { return const_iterator(*this, 0); }
    std::default_sentinel_t end() const noexcept { return {}; }
    // Calls with (handle, T&) or (T&). The fastest way through all.
    template <class Function>
    void for_each(Function function) {
        this->visit_all(function);
    }

    std::uint64_t count() const noexcept { return this->live_count(); }
    bool is_empty() const noexcept { return count() == 0; }
    // Values that fit without asking upstream, the live ones included.
    std::uint64_t capacity() const noexcept { return store::capacity(); }
    // Segments for so many values more than live, so that these cannot fail. False: not all could be had.
    bool try_reserve(std::uint64_t count) noexcept { return store::try_reserve(count); }
    // Throws: out_of_memory.
    void reserve(std::uint64_t count) {
        if (!try_reserve(count)) throw_out_of_memory();
    }

    // Gives back memory, and returns how many bytes; handles keep their meaning. A shortage ends it early.
    //   trim()           segments where nothing lives. No value moves.
    //   compact()        these, and segments at most half full: their values move together into smaller
    //                    blocks, where they stay until erased; no spare slot between them is used before.
    //   compact(moved)   values move from the last slots into spare ones further in front, and get new
    //                    handles: moved(old, new) is called for each, the old one is stale. It leaves the map
    //                    alone. If it throws, the values moved so far have been told.
    // Invalidates: the pointers to values that move. Cost: O(slots).
    std::uint64_t trim() noexcept { return store::trim(); }
    std::uint64_t compact() noexcept
        requires std::is_nothrow_move_constructible_v<T>
    {
        return this->pack_all();
    }
    template <std::invocable<handle, handle> Moved>
    std::uint64_t compact(Moved&& moved)
        requires std::is_nothrow_move_constructible_v<T>
    {
        return this->move_to_front(moved);
    }

    // Exact. Fills all but behind_ and early_bytes_max; limit_bytes only if the map has a limit.
    allot::usage usage() const noexcept { return store::usage(); }
    const allot::name& name() const noexcept { return store::name(); }
    // Aborts where an invariant of the map does not hold. Cost: O(slots).
    void check() const noexcept { store::check(); }

private:
    T* found(handle wanted) const noexcept {
        T* const value = this->find(wanted);
        if (!value) [[unlikely]]
            this->fatal_stale(wanted.index(), wanted.generation());
        return value;
    }
};

} // namespace allot
