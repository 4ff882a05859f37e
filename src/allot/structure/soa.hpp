// soa: rows of named fields, each field a column of its own; all columns in one block, each on a cache line.
//
// Use it where loops run through one or two fields of many rows: they read nothing else, and vectorise. Where
// each row is read whole and at random take a vector of structs; for rows that others name by handles
// slot_map.
// Owns its block of rows and its blob of text; they go upstream by release() or with it. Borrows upstream.
// Growth doubles the capacity and moves all columns; texts that no row shows any more are dropped when the
// blob grows. Fields are of any type that moves and is destroyed without throwing.
// Threads: compatible; threads may work on batches() side by side: no two of them share a cache line.
// Cost: push_back makes one test of capacity, and none of fields; 64 bytes per column beside the fields
// themselves, which keep the columns of a power of two from meeting in the same lines of the cache. A row is
// a proxy of 2 words.
//
// Fatal, at level on and full:
//     soa 'NAME': row N of N
//
//     soa<field<"x", float>, field<"mass", float>, field<"name", soa_text>> rows({.name = "particles"});
//     rows.push_back(1.0F, 2.0F, "electron");
//     rows.push_back(0.5F, 4.0F, std::string("proton"));
//     for (float& x : rows.column<"x">()) x *= 2;
//     assert(rows[1].get<"x">() == 1.0F && rows[1].get<"name">() == "proton");
//     std::ranges::sort(rows, {}, [](const auto& row) { return row.template get<"x">(); });
//     assert(rows[0].get<"name">() == "proton" && rows.column<"mass">()[0] == 4.0F);
//     rows.set_text<"name">(0, "antiproton");
//     assert(rows.count() == 2);
#pragma once

#include <algorithm>
#include <allot/core/bytes.hpp>
#include <allot/core/checks.hpp>
#include <allot/core/poison.hpp>
#include <allot/structure/soa_column.hpp>
#include <allot/structure/soa_memory.hpp>
#include <allot/structure/soa_row.hpp>
#include <array>
#include <cstring>
#include <new>
#include <ranges>

namespace allot {

template <class... Fields>
class soa : private detail::soa_memory {
    static_assert(sizeof...(Fields) != 0 && detail::names_differ<Fields...>());

public:
    static constexpr std::size_t field_count = sizeof...(Fields);
    using value_type = soa_value<Fields...>;
    template <std::size_t Index>
    using stored = std::tuple_element_t<Index, typename value_type::fields>;
    using iterator = soa_iterator<soa>;

    // Takes nothing from upstream yet.
    explicit soa(const soa_options& options = {}) noexcept : soa_memory(options) {}
    ~soa() { release(); }

    // A value for each field. False on shortage, with last_refusal(); nothing has changed then, nor if a
    // constructor throws. The values may be of this soa.
    template <class... Values>
    [[nodiscard]] bool try_push_back(Values&&... values)
        requires(sizeof...(Values) == field_count);
    // Throws: out_of_memory, and what the constructors throw.
    template <class... Values>
    void push_back(Values&&... values)
        requires(sizeof...(Values) == field_count)
    {
        if (!try_push_back(std::forward<Values>(values)...)) throw_out_of_memory();
    }
    // Expects: a row.
    void pop_back() noexcept;
    // The last row takes its place. Expects: row < count().
    void erase_unordered(std::size_t row) noexcept;
    void clear() noexcept;   // keeps the memory
    void release() noexcept; // … and gives it upstream
    // Room for so many rows; text not counted.
    bool try_reserve(std::size_t row_count) noexcept { return row_count <= capacity_ || grow_to(row_count); }
    void reserve(std::size_t row_count) {
        if (!try_reserve(row_count)) throw_out_of_memory();
    }

    // A contiguous range, the first value on a cache line. Texts are read only. Invalidates: growth.
    template <field_name Name>
    auto column() noexcept {
        constexpr std::size_t index = index_of<Name>();
        return soa_column<shown<index>>(first<index>(), count_);
    }
    template <field_name Name>
    auto column() const noexcept {
        constexpr std::size_t index = index_of<Name>();
        return soa_column<const stored<index>>(first<index>(), count_);
    }
    // Expects: row < count().
    soa_row<soa> operator[](std::size_t row) noexcept {
        ALLOT_CHECK_FULL(row < count_, "soa '", name().view(), "': row ", row, " of ", count_);
        return {*this, row};
    }
    soa_row<const soa> operator[](std::size_t row) const noexcept {
        ALLOT_CHECK_FULL(row < count_, "soa '", name().view(), "': row ", row, " of ", count_);
        return {*this, row};
    }
    // False on shortage. Expects: row < count().
    template <field_name Name>
    [[nodiscard]] bool try_set_text(std::size_t row, std::string_view text) noexcept;
    template <field_name Name>
    void set_text(std::size_t row, std::string_view text) {
        if (!try_set_text<Name>(row, text)) throw_out_of_memory();
    }

    iterator begin() noexcept { return {*this, 0}; }
    iterator end() noexcept { return {*this, count_}; }

    // Some rows next to each other; their columns begin on cache lines, too.
    class batch {
    public:
        std::size_t first_row() const noexcept { return first_; }
        std::size_t count() const noexcept { return count_; }
        template <field_name Name>
        auto column() const noexcept {
            constexpr std::size_t index = index_of<Name>();
            return soa_column<shown<index>>(rows_->template first<index>() + first_, count_);
        }

    private:
        friend soa;
        batch(soa& rows, std::size_t first, std::size_t count) noexcept
            : rows_(&rows), first_(first), count_(count) {}
        soa* rows_; // borrowed
        std::size_t first_;
        std::size_t count_;
    };
    // All rows in so many batches of nearly the same number; the last may be empty. Expects: batch_count !=
    // 0.
    auto batches(std::size_t batch_count) noexcept {
        const std::size_t step = align_up((count_ + batch_count - 1) / batch_count, row_grain);
        return std::views::iota(std::size_t{0}, batch_count) |
               std::views::transform([this, step](std::size_t i) {
                   const std::size_t from = std::min(i * step, count_);
                   return batch(*this, from, std::min(step, count_ - from));
               });
    }

    std::size_t count() const noexcept { return count_; }
    bool is_empty() const noexcept { return count_ == 0; }
    std::size_t capacity() const noexcept { return capacity_; } // rows
    // Exact. Fills all but behind_ and early_bytes_max; peak and total count rows without their text.
    allot::usage usage() const noexcept {
        return soa_memory::usage({.row_bytes = row_bytes, .row_count = count_, .row_capacity = capacity_});
    }
    const allot::name& name() const noexcept { return soa_memory::name(); }
    // Aborts where an invariant does not hold. Cost: O(fields), with text O(rows).
    void check() const noexcept;

private:
    friend soa_row<soa>;
    friend soa_row<const soa>;
    template <std::size_t Index>
    static constexpr bool is_text =
        std::is_same_v<typename std::tuple_element_t<Index, std::tuple<Fields...>>::type, soa_text>;
    template <std::size_t Index>
    using shown = std::conditional_t<is_text<Index>, const stored<Index>, stored<Index>>;

    static constexpr bool has_text = (std::is_same_v<typename Fields::type, soa_text> || ...);
    static constexpr std::array<std::size_t, field_count> sizes{
        sizeof(typename detail::soa_stored<typename Fields::type>::type)...};
    static constexpr std::size_t row_bytes =
        (sizeof(typename detail::soa_stored<typename Fields::type>::type) + ...);
    // Capacity is a multiple of it, so that every column begins at a multiple of it.
    static constexpr std::size_t row_grain =
        std::max({soa_column_align, alignof(typename detail::soa_stored<typename Fields::type>::type)...});

    template <field_name Name>
    static constexpr std::size_t index_of() noexcept {
        constexpr std::size_t index = detail::field_index<Name, Fields...>();
        static_assert(index != field_count, "the soa has no field of that name");
        return index;
    }
    static constexpr std::size_t bytes_before(std::size_t index) noexcept {
        std::size_t bytes = 0;
        for (std::size_t i = 0; i != index; ++i) bytes += sizes[i];
        return bytes;
    }
    static layout layout_for(std::size_t rows) noexcept {
        return {rows * row_bytes + field_count * row_grain, row_grain};
    }
    // One line further than the column before, so that rows of a power of two do not meet in the cache.
    template <std::size_t Index>
    static stored<Index>* first_in(std::byte* block, std::size_t rows) noexcept {
        return reinterpret_cast<stored<Index>*>(block + rows * bytes_before(Index) + Index * row_grain);
    }
    template <std::size_t Index>
    stored<Index>* first() const noexcept {
        return first_in<Index>(block_, capacity_);
    }
    template <std::size_t Index>
    stored<Index>& field_at(std::size_t row) noexcept {
        return first<Index>()[row];
    }
    template <std::size_t Index>
    const stored<Index>& field_at(std::size_t row) const noexcept {
        return first<Index>()[row];
    }
    template <class Function>
    static void for_each_field(Function function) {
        [&]<std::size_t... I>(std::index_sequence<I...>) {
            (function(std::integral_constant<std::size_t, I>()), ...);
        }(std::make_index_sequence<field_count>());
    }

    struct place { // where a row is made
        std::byte* block;
        std::size_t capacity;
    };
    template <class... Values>
    void construct(place to, blob& texts_to, Values&&... values);
    template <class... Values>
    [[gnu::noinline]] bool push_slowly(std::size_t text_bytes, Values&&... values);
    place allocate(std::size_t rows) noexcept;
    void move_rows(place to) noexcept;
    void destroy_row(std::size_t row) noexcept;
    bool grow_to(std::size_t row_count) noexcept;
    blob copy_texts(std::size_t more_bytes) noexcept;
    void adopt(blob next) noexcept;

    std::byte* block_ = nullptr;
    std::size_t count_ = 0;
    std::size_t capacity_ = 0;
};

} // namespace allot

#include <allot/structure/soa_inline.hpp>
