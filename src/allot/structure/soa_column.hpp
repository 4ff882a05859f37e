// field, soa_text, soa_column: what the columns of a soa are called, hold and look like.
//
// Owns nothing: a column borrows its soa's memory until that grows or goes.
// Threads: values. Cost: a column is two words.
//
//     using particles = soa<field<"x", float>, field<"mass", float>, field<"name", soa_text>>;
//     soa_column<float> x = rows.column<"x">(); // a contiguous range, on a cache line
//     std::span<float> same = x;
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <type_traits>

namespace allot {

inline constexpr std::size_t soa_column_align = 64;

// A text as a template argument.
template <std::size_t Size>
struct field_name {
    char text[Size];
    consteval field_name(const char (&from)[Size]) {
        for (std::size_t i = 0; i != Size; ++i) text[i] = from[i];
    }
    constexpr std::string_view view() const noexcept { return {text, Size - 1}; }
};

template <field_name Name, class T>
struct field {
    static constexpr std::string_view name = Name.view();
    using type = T;
};

// The type of a field of text. Its column holds std::string_views; the texts lie in one blob of the soa.
struct soa_text;

template <class T>
class soa_column {
public:
    using value_type = std::remove_const_t<T>;

    constexpr soa_column() noexcept = default;
    // Expects: first on a cache line.
    constexpr soa_column(T* first, std::size_t count) noexcept : first_(first), count_(count) {}

    // The compiler knows that it is aligned.
    T* data() const noexcept { return std::assume_aligned<soa_column_align>(first_); }
    T* begin() const noexcept { return data(); }
    T* end() const noexcept { return data() + count_; }
    std::size_t size() const noexcept { return count_; } // as every range: in values
    bool empty() const noexcept { return count_ == 0; }
    T& operator[](std::size_t row) const noexcept { return data()[row]; }

private:
    T* first_ = nullptr;
    std::size_t count_ = 0;
};

namespace detail {

template <class T>
struct soa_stored {
    using type = T;
};
template <>
struct soa_stored<soa_text> {
    using type = std::string_view;
};

template <field_name Name, class... Fields>
constexpr std::size_t field_index() noexcept {
    std::size_t index = 0;
    (void)((Fields::name == Name.view() || (++index, false)) || ...);
    return index;
}

template <class... Fields>
constexpr bool names_differ() noexcept {
    const std::string_view names[] = {Fields::name...};
    for (std::size_t i = 0; i != sizeof...(Fields); ++i)
        for (std::size_t k = 0; k != i; ++k)
            if (names[i] == names[k]) return false;
    return true;
}

} // namespace detail
} // namespace allot

template <class T>
inline constexpr bool std::ranges::enable_borrowed_range<allot::soa_column<T>> = true;
