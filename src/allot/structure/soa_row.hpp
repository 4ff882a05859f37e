// soa_row, soa_value: a row of a soa, by reference and by value; what iterators over rows give.
//
// A row is a proxy: it names its soa and a number, its fields are read and written in their columns.
// Assigning to a row writes all fields; a copy of a row (auto row = rows[3]) is the same row. A value is a
// row that stands alone, made when an algorithm sets one aside: its texts stay in the soa's blob.
// Owns: a value its fields, but not its texts; a row nothing. Threads: as the soa.
// Cost: a row is two words; each field is one address away.
//
//     rows[3].get<"x">() += 1;
//     std::ranges::sort(rows, {}, [](const auto& row) { return row.template get<"x">(); });
//     std::sort(rows.begin(), rows.end(),
//               [](const auto& a, const auto& b) { return a.get<"x">() < b.get<"x">(); });
#pragma once

#include <allot/structure/soa_column.hpp>
#include <compare>
#include <cstddef>
#include <iterator>
#include <tuple>
#include <utility>

namespace allot {

template <class... Fields>
class soa_value {
public:
    using fields = std::tuple<typename detail::soa_stored<typename Fields::type>::type...>;

    soa_value() = default;
    explicit soa_value(fields all) noexcept : all_(std::move(all)) {}

    template <field_name Name>
    auto& get() noexcept {
        return std::get<detail::field_index<Name, Fields...>()>(all_);
    }
    template <field_name Name>
    const auto& get() const noexcept {
        return std::get<detail::field_index<Name, Fields...>()>(all_);
    }
    fields& all() noexcept { return all_; }
    const fields& all() const noexcept { return all_; }
    friend bool operator==(const soa_value&, const soa_value&) = default;

private:
    fields all_;
};

template <class Soa>
class soa_row {
public:
    using value = typename Soa::value_type;

    soa_row(Soa& rows, std::size_t row) noexcept : rows_(&rows), row_(row) {}
    soa_row(const soa_row&) noexcept = default;

    // T&; of a text const std::string_view&: soa::set_text() changes it.
    template <field_name Name>
    decltype(auto) get() const noexcept {
        return rows_->template column<Name>()[row_];
    }
    std::size_t number() const noexcept { return row_; }

    // Writes the fields.
    const soa_row& operator=(const soa_row& from) const {
        each([&](auto& field, auto index) { field = from.template at<index>(); });
        return *this;
    }
    const soa_row& operator=(const value& from) const {
        each([&](auto& field, auto index) { field = std::get<index>(from.all()); });
        return *this;
    }
    const soa_row& operator=(value&& from) const {
        each([&](auto& field, auto index) { field = std::get<index>(std::move(from.all())); });
        return *this;
    }
    operator value() const { return copied(std::make_index_sequence<Soa::field_count>()); }
    value move() const { return moved(std::make_index_sequence<Soa::field_count>()); }
    friend void swap(soa_row a, soa_row b) noexcept {
        a.each([&](auto& field, auto index) {
            using std::swap;
            swap(field, b.template at<index>());
        });
    }

private:
    template <std::size_t Index>
    decltype(auto) at() const noexcept {
        return rows_->template field_at<Index>(row_);
    }
    template <class Function>
    void each(Function function) const {
        [&]<std::size_t... I>(std::index_sequence<I...>) {
            (function(at<I>(), std::integral_constant<std::size_t, I>()), ...);
        }(std::make_index_sequence<Soa::field_count>());
    }
    template <std::size_t... I>
    value copied(std::index_sequence<I...>) const {
        return value(typename value::fields(at<I>()...));
    }
    template <std::size_t... I>
    value moved(std::index_sequence<I...>) const {
        return value(typename value::fields(std::move(at<I>())...));
    }
    Soa* rows_; // borrowed
    std::size_t row_;
};

// Random access, as C++20 has it; its reference is a proxy.
template <class Soa>
class soa_iterator {
public:
    using iterator_concept = std::random_access_iterator_tag;
    using iterator_category = std::random_access_iterator_tag; // so that std::sort takes it
    using value_type = typename Soa::value_type;
    using difference_type = std::ptrdiff_t;
    using reference = soa_row<Soa>;
    using pointer = void;

    soa_iterator() noexcept = default;
    soa_iterator(Soa& rows, std::size_t row) noexcept
        : rows_(&rows), row_(static_cast<difference_type>(row)) {}

    reference operator*() const noexcept { return {*rows_, static_cast<std::size_t>(row_)}; }
    reference operator[](difference_type by) const noexcept { return *(*this + by); }
    soa_iterator& operator+=(difference_type by) noexcept {
        row_ += by;
        return *this;
    }
    soa_iterator& operator-=(difference_type by) noexcept { return *this += -by; }
    soa_iterator& operator++() noexcept { return *this += 1; }
    soa_iterator& operator--() noexcept { return *this -= 1; }
    soa_iterator operator++(int) noexcept { return std::exchange(*this, *this + 1); }
    soa_iterator operator--(int) noexcept { return std::exchange(*this, *this - 1); }
    friend soa_iterator operator+(soa_iterator from, difference_type by) noexcept { return from += by; }
    friend soa_iterator operator+(difference_type by, soa_iterator from) noexcept { return from += by; }
    friend soa_iterator operator-(soa_iterator from, difference_type by) noexcept { return from -= by; }
    friend difference_type operator-(const soa_iterator& a, const soa_iterator& b) noexcept {
        return a.row_ - b.row_;
    }
    friend bool operator==(const soa_iterator& a, const soa_iterator& b) noexcept { return a.row_ == b.row_; }
    friend auto operator<=>(const soa_iterator& a, const soa_iterator& b) noexcept {
        return a.row_ <=> b.row_;
    }
    friend value_type iter_move(const soa_iterator& from) { return (*from).move(); }
    friend void iter_swap(const soa_iterator& a, const soa_iterator& b) noexcept { swap(*a, *b); }

private:
    Soa* rows_ = nullptr; // borrowed
    difference_type row_ = 0;
};

} // namespace allot
