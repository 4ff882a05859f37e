// How rows come and go in a soa. Included by soa.hpp.
#pragma once

#include <allot/structure/soa.hpp>

namespace allot {

namespace detail {

// Destroys the fields of a row that were made, from the last, unless all were.
template <class Destroy>
struct row_guard {
    Destroy& destroy;
    std::size_t made = 0;
    bool complete = false;
    ~row_guard() {
        while (!complete && made != 0) destroy(--made);
    }
};

inline std::string_view put_text(soa_memory::blob& to, std::string_view text) noexcept {
    char* const at = to.data + to.used;
    if (!text.empty()) {
        allot::mark_fresh(at, text.size());
        std::memmove(at, text.data(), text.size());
    }
    to.used += text.size();
    return {at, text.size()};
}

} // namespace detail

template <class... Fields>
template <class... Values>
bool soa<Fields...>::try_push_back(Values&&... values)
    requires(sizeof...(Values) == field_count)
{
    std::size_t text_bytes = 0;
    if constexpr (has_text) {
        [&]<std::size_t... I>(std::index_sequence<I...>) {
            (
                [&] {
                    if constexpr (is_text<I>) text_bytes += std::string_view(values).size();
                }(),
                ...);
        }(std::index_sequence_for<Values...>());
    }
    if (count_ == capacity_ || text_bytes > texts.capacity - texts.used) [[unlikely]]
        return push_slowly(text_bytes, std::forward<Values>(values)...);
    construct({block_, capacity_}, texts, std::forward<Values>(values)...);
    ++count_;
    return true;
}

// Makes row count_ there. What a constructor throws leaves no field behind.
template <class... Fields>
template <class... Values>
void soa<Fields...>::construct(place to, blob& texts_to, Values&&... values) {
    const std::size_t used_before = texts_to.used;
    auto destroy = [&](std::size_t made) {
        texts_to.used = used_before;
        for_each_field([&](auto index) {
            if (index == made) std::destroy_at(first_in<index>(to.block, to.capacity) + count_);
        });
    };
    detail::row_guard<decltype(destroy)> guard{destroy};
    [&]<std::size_t... I>(std::index_sequence<I...>) {
        (
            [&](auto&& value) {
                stored<I>* const at = first_in<I>(to.block, to.capacity) + count_;
                allot::mark_fresh(at, sizeof(stored<I>));
                if constexpr (is_text<I>)
                    ::new (static_cast<void*>(at)) std::string_view(detail::put_text(texts_to, value));
                else
                    ::new (static_cast<void*>(at)) stored<I>(static_cast<decltype(value)>(value));
                ++guard.made;
            }(std::forward<Values>(values)),
            ...);
    }(std::index_sequence_for<Values...>());
    guard.complete = true;
}

// All memory first; then the new row, from values that may lie in the old blocks; then the old rows, which
// cannot fail.
template <class... Fields>
template <class... Values>
bool soa<Fields...>::push_slowly(std::size_t text_bytes, Values&&... values) {
    struct unused { // what a shortage or a constructor leaves
        soa& from;
        place rows;
        blob texts;
        ~unused() {
            if (rows.block) from.give_back(rows.block, layout_for(rows.capacity));
            from.give_back(texts.data, {texts.capacity, 1});
        }
    } next{*this, {nullptr, 0}, {}};
    if (count_ == capacity_) {
        next.rows = allocate(std::max(row_grain, 2 * capacity_));
        if (!next.rows.block) return false;
    }
    const bool grows_text = text_bytes > texts.capacity - texts.used;
    if (grows_text) {
        next.texts = copy_texts(text_bytes);
        if (!next.texts.data) return false;
    }
    construct(next.rows.block ? next.rows : place{block_, capacity_}, grows_text ? next.texts : texts,
              std::forward<Values>(values)...);
    if (grows_text) adopt(std::exchange(next.texts, blob{}));
    if (next.rows.block) move_rows(std::exchange(next.rows, place{nullptr, 0}));
    ++count_;
    return true;
}

template <class... Fields>
auto soa<Fields...>::allocate(std::size_t rows) noexcept -> place {
    auto* const block = static_cast<std::byte*>(take(layout_for(rows)));
    if (block) allot::mark_dead(block, layout_for(rows).size);
    return {block, rows};
}

// The rows so far; the block is the soa's from here on.
template <class... Fields>
void soa<Fields...>::move_rows(place to) noexcept {
    for_each_field([&](auto index) {
        using type = stored<index>;
        static_assert(std::is_nothrow_move_constructible_v<type> && std::is_nothrow_destructible_v<type>,
                      "a field must move and be destroyed without throwing");
        type* const from = first<index>();
        type* const into = first_in<index>(to.block, to.capacity);
        if (count_ == 0) return;
        allot::mark_fresh(into, count_ * sizeof(type));
        if constexpr (std::is_trivially_copyable_v<type>) {
            std::memcpy(static_cast<void*>(into), from, count_ * sizeof(type));
        } else {
            for (std::size_t row = 0; row != count_; ++row) {
                ::new (static_cast<void*>(into + row)) type(std::move(from[row]));
                std::destroy_at(from + row);
            }
        }
    });
    if (block_) give_back(block_, layout_for(capacity_));
    block_ = to.block;
    capacity_ = to.capacity;
}

template <class... Fields>
bool soa<Fields...>::grow_to(std::size_t row_count) noexcept {
    constexpr std::size_t row_count_max = (static_cast<std::size_t>(-1) >> 2) / row_bytes;
    if (row_count > row_count_max) row_count = row_count_max; // whose layout nobody serves
    const place next = allocate(align_up(row_count, row_grain));
    if (next.block) move_rows(next);
    return next.block != nullptr;
}

template <class... Fields>
void soa<Fields...>::destroy_row(std::size_t row) noexcept {
    for_each_field([&](auto index) {
        std::destroy_at(first<index>() + row);
        allot::mark_dead(first<index>() + row, sizeof(stored<index>));
    });
}

template <class... Fields>
void soa<Fields...>::pop_back() noexcept {
    if constexpr (checks != check_level::off)
        if (count_ == 0) fatal_row(0, 0);
    rows_leave(count_, 1);
    destroy_row(--count_);
}

template <class... Fields>
void soa<Fields...>::erase_unordered(std::size_t row) noexcept {
    if constexpr (checks != check_level::off)
        if (row >= count_) fatal_row(row, count_);
    if (row + 1 != count_) {
        for_each_field([&](auto index) {
            stored<index>* const at = first<index>();
            std::destroy_at(at + row);
            ::new (static_cast<void*>(at + row)) stored<index>(std::move(at[count_ - 1]));
        });
    }
    pop_back();
}

template <class... Fields>
void soa<Fields...>::clear() noexcept {
    rows_leave(count_, count_);
    while (count_ != 0) destroy_row(--count_);
    if (texts.used != 0) allot::mark_dead(texts.data, texts.used);
    texts.used = 0;
}

template <class... Fields>
void soa<Fields...>::release() noexcept {
    clear();
    if (block_) give_back(block_, layout_for(capacity_));
    give_back(texts.data, {texts.capacity, 1});
    block_ = nullptr;
    capacity_ = 0;
    texts = {};
}

// A larger blob with the rows' texts, in their order; data is nullptr on shortage. The rows do not know it
// yet.
template <class... Fields>
auto soa<Fields...>::copy_texts(std::size_t more_bytes) noexcept -> blob {
    std::size_t shown_bytes = 0;
    for_each_field([&](auto index) {
        if constexpr (is_text<index>)
            for (std::size_t row = 0; row != count_; ++row) shown_bytes += first<index>()[row].size();
    });
    blob next{.capacity =
                  align_up(std::max<std::size_t>(2 * (shown_bytes + more_bytes), 256), std::size_t{64})};
    next.data = static_cast<char*>(take({next.capacity, 1}));
    if (!next.data) return {};
    allot::mark_dead(next.data, next.capacity);
    for (std::size_t row = 0; row != count_; ++row)
        for_each_field([&](auto index) {
            if constexpr (is_text<index>) (void)detail::put_text(next, first<index>()[row]);
        });
    return next;
}

// A copy that copy_texts() made, and perhaps more behind.
template <class... Fields>
void soa<Fields...>::adopt(blob next) noexcept {
    const char* at = next.data;
    for (std::size_t row = 0; row != count_; ++row)
        for_each_field([&](auto index) {
            if constexpr (is_text<index>) {
                std::string_view& text = first<index>()[row];
                text = {at, text.size()};
                at += text.size();
            }
        });
    give_back(texts.data, {texts.capacity, 1});
    texts = next;
}

template <class... Fields>
template <field_name Name>
bool soa<Fields...>::try_set_text(std::size_t row, std::string_view text) noexcept {
    constexpr std::size_t index = index_of<Name>();
    static_assert(is_text<index>, "the field is no soa_text");
    if constexpr (checks != check_level::off)
        if (row >= count_) fatal_row(row, count_);
    if (text.size() <= texts.capacity - texts.used) {
        first<index>()[row] = detail::put_text(texts, text);
        return true;
    }
    blob next = copy_texts(text.size());
    if (!next.data) return false;
    const std::string_view kept = detail::put_text(next, text); // it may lie in the old blob
    adopt(next);
    first<index>()[row] = kept;
    return true;
}

template <class... Fields>
void soa<Fields...>::check() const noexcept {
    expect(count_ <= capacity_ && capacity_ % row_grain == 0, "more rows than there is room for");
    for_each_field([&](auto index) {
        expect(is_aligned(reinterpret_cast<std::uintptr_t>(first<index>()), std::uintptr_t{row_grain}),
               "a column begins between two cache lines");
        if constexpr (is_text<index>) {
            for (std::size_t row = 0; row != count_; ++row) {
                const std::string_view text = first<index>()[row];
                expect(text.empty() || (text.data() >= texts.data &&
                                        text.data() + text.size() <= texts.data + texts.used),
                       "a text lies outside the blob");
            }
        }
    });
    const allot::usage now = usage();
    expect(now.live_bytes + now.free_bytes <= now.held_bytes, "more is used than held");
}

} // namespace allot
