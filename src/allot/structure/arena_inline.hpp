// arena_inline: the bodies of arena's hot path and of its templates. Include <allot/structure/arena.hpp>.
#pragma once

#include <allot/structure/arena.hpp>
#include <cstring>

namespace allot {

// end_ is a multiple of 16, so that rounding up to 16 never passes it. Larger alignments look once more.
// A block's end at or below its beginning is one of 0 bytes, or of more than the address space holds.
// The one way out is the fast path: a refill makes the next round succeed, or nothing is returned at all. So
// a compiler sees, in a caller's loop, where cursor and tally come from on every way, and keeps them in
// registers; a second way out would cost a load that waits for the last store.
// Two numbers and not a layout: g++ 12 would send that through the stack.
template <auto Refill>
inline void* arena::bump(std::size_t size, std::size_t align) {
    if constexpr (checks >= check_level::on)
        if (!is_power_of_two(align)) [[unlikely]]
            fatal_alignment(align);
    for (;;) {
        auto tally = static_cast<std::uint64_t>(tally_);
#if defined(__clang__)
        asm volatile("" : "+r"(tally)); // else it moves the load behind the compare, and back into memory
#endif
        const auto room_end = reinterpret_cast<std::uintptr_t>(end_);
        const auto cursor = reinterpret_cast<std::uintptr_t>(cursor_);
        const auto begin = align_up(cursor, std::uintptr_t{align});
        const auto end = begin + size;
        const bool beyond = align > alignof(std::max_align_t) && (begin > room_end || begin < cursor);
        const bool surely_plain = __builtin_constant_p(size) && size - 1 < gibibytes(1);
        if (beyond || end > room_end || (!surely_plain && end <= begin)) [[unlikely]] {
            size += size == 0;
            if (!(this->*Refill)(size, align)) return nullptr;
            continue;
        }
        auto* const block = reinterpret_cast<std::byte*>(begin);
        tally_ = static_cast<detail::arena_tally>(tally + size + detail::arena_tally_one);
        cursor_ = block + size;
        if constexpr (checks >= check_level::on) newest_block_ = block;
        mark_fresh(block, size);
        return block;
    }
}

inline void arena::fold_tally() noexcept {
    total_bytes_ = total_bytes();
    total_count_ = total_count();
    tally_ = {};
}

inline void arena::go_on_in(detail::arena_chunk* chunk, std::byte* position) noexcept {
    current_ = chunk;
    cursor_ = position;
    segment_ = newest_mark_ && newest_mark_->chunk == chunk ? newest_mark_->resume() : chunk->begin();
    newest_block_ = nullptr;
    if (chunk->size <= detail::arena_window_bytes_max && newest_mark_ != chunk->reserve()) [[likely]] {
        end_ = chunk->end;
    } else {
        fold_tally(); // a new window may be filled
        open_window(0);
    }
}

// Publishes the totals, too: who only allocates and gives back in turns never comes to a slow path.
inline void arena::settle(std::size_t size, std::uint64_t count) noexcept {
    fold_tally();
    const std::uint64_t gone = gone_bytes_.load(std::memory_order_relaxed);
    peak_live_bytes_ = std::max(peak_live_bytes_, total_bytes_ - gone);
    published_.total_bytes.store(total_bytes_, std::memory_order_relaxed);
    published_.total_count.store(total_count_, std::memory_order_relaxed);
    gone_bytes_.store(gone + size, std::memory_order_relaxed);
    gone_count_.store(gone_count_.load(std::memory_order_relaxed) + count, std::memory_order_relaxed);
}

inline void arena::check_newest(const std::byte* block, std::size_t size) const noexcept {
    if constexpr (checks >= check_level::on) {
        const bool right = block == newest_block_ ? block + size == cursor_ : block + size <= newest_block_;
        if ((newest_block_ && !right) || size > live_bytes()) [[unlikely]]
            fatal_block(block, size);
    }
}

inline void arena::give_back(std::byte* block, std::size_t size) noexcept {
    if (block < segment_ || block > cursor_ || size > static_cast<std::size_t>(cursor_ - block)) [[unlikely]]
        return give_back_elsewhere(block, size, 1);
    check_newest(block, size);
    settle(size, 1);
    mark_dead(block, size);
    if (block + size == cursor_) {
        cursor_ = block;
        newest_block_ = nullptr;
    }
}

// Gives the block of an object back whose constructor throws.
struct arena::undo {
    arena* from;
    void* block;
    layout given;
    ~undo() {
        if (block) from->deallocate(block, given);
    }
};

namespace detail {
template <class T>
void destroy(void* object) noexcept {
    std::destroy_at(static_cast<T*>(object));
}
// A count that no address space holds becomes a size that none holds.
template <class T>
constexpr layout layout_of_items(std::size_t count) noexcept {
    layout wanted{.size = static_cast<std::size_t>(-1), .align = alignof(T)};
    (void)checked_multiply(count, sizeof(T), wanted.size);
    return wanted;
}
} // namespace detail

template <class T, class... Args>
T* arena::make_undestroyed(Args&&... args) {
    undo block{this, allocate(layout_of<T>()), layout_of<T>()};
    T* const made = ::new (block.block) T(std::forward<Args>(args)...);
    block.block = nullptr;
    return made;
}

template <class T, class... Args>
T* arena::make(Args&&... args) {
    static_assert(std::is_trivially_destructible_v<T>,
                  "T has a destructor: make_owned runs it, make_undestroyed says that it need not run");
    return make_undestroyed<T>(std::forward<Args>(args)...);
}

template <class T, class... Args>
T* arena::try_make(Args&&... args) noexcept(std::is_nothrow_constructible_v<T, Args...>) {
    static_assert(std::is_trivially_destructible_v<T>, "T has a destructor: try_make_owned runs it");
    undo block{this, try_allocate(layout_of<T>()), layout_of<T>()};
    if (!block.block) return nullptr;
    T* const made = ::new (block.block) T(std::forward<Args>(args)...);
    block.block = nullptr;
    return made;
}

template <class T, class... Args>
result<T*> arena::make_or_error(Args&&... args) noexcept(std::is_nothrow_constructible_v<T, Args...>) {
    if (T* made = try_make<T>(std::forward<Args>(args)...)) return made;
    return refusal_error();
}

template <class T, class... Args>
T* arena::try_make_owned(Args&&... args) noexcept(std::is_nothrow_constructible_v<T, Args...>) {
    detail::arena_owned* const entry = try_reserve_owned();
    undo block{this, entry ? try_allocate(layout_of<T>()) : nullptr, layout_of<T>()};
    if (!block.block) return nullptr;
    T* const made = ::new (block.block) T(std::forward<Args>(args)...);
    block.block = nullptr;
    own(entry, made, &detail::destroy<T>);
    return made;
}

template <class T, class... Args>
T* arena::make_owned(Args&&... args) {
    T* const made = try_make_owned<T>(std::forward<Args>(args)...);
    if (!made) [[unlikely]]
        throw_out_of_memory();
    return made;
}

template <class T>
std::span<T> arena::try_make_span(std::size_t count) noexcept {
    static_assert(std::is_trivially_destructible_v<T> && std::is_nothrow_default_constructible_v<T>);
    auto* const items = static_cast<T*>(try_allocate(detail::layout_of_items<T>(count)));
    if (!items) return {};
    std::uninitialized_value_construct_n(items, count);
    return {items, count};
}

template <class T>
std::span<T> arena::make_span(std::size_t count) {
    const std::span<T> items = try_make_span<T>(count);
    if (!items.data()) [[unlikely]]
        throw_out_of_memory();
    return items;
}

template <class T>
std::span<std::remove_const_t<T>> arena::try_copy(std::span<T> items) noexcept {
    using item = std::remove_const_t<T>;
    static_assert(std::is_trivially_copyable_v<item>,
                  "copy is for plain bytes: make_span and assign the others");
    void* const room = try_allocate(detail::layout_of_items<item>(items.size()));
    if (!room) return {};
    if (!items.empty()) std::memcpy(room, items.data(), items.size_bytes());
    return {static_cast<item*>(room), items.size()};
}

template <class T>
std::span<std::remove_const_t<T>> arena::copy(std::span<T> items) {
    const auto made = try_copy(items);
    if (!made.data()) [[unlikely]]
        throw_out_of_memory();
    return made;
}

} // namespace allot
