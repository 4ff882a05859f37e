// aligned_span: a view of an array that carries the array's alignment in its type.
//
// Use it in signatures of loops that vectorise, so that the compiler knows the alignment and no caller can
// bring another. For views without that promise take std::span; to own such an array take aligned_buffer.
// Borrows its items.
// Threads: a value.
// Cost: a pointer and a count; a check of the address when it is made from a plain span.
//
// Fatal, at level on and full (PLACE is an address):
//     aligned_span: PLACE is not aligned to N bytes
//
//     alignas(64) float values[100] = {};
//     aligned_span<float, 64> all(values);
//     float* first = all.data();                               // the compiler knows: a multiple of 64
//     assert(all.size() == 100 && is_aligned(first, 64));
//     assert((!aligned_span<float, 64>::try_from(all.span().subspan(1)))); // 4 bytes in: no such view
#pragma once

#include <allot/core/bytes.hpp>
#include <allot/core/checks.hpp>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>

namespace allot {

template <class T, std::size_t Align = 64>
class aligned_span {
    static_assert(is_power_of_two(Align) && Align >= alignof(T));

public:
    static constexpr std::size_t alignment = Align;

    constexpr aligned_span() noexcept = default;
    // Expects: the first item is aligned so; an empty span may lie anywhere, and becomes the empty view.
    explicit aligned_span(std::span<T> items) noexcept : data_(items.data()), size_(items.size()) {
        if (size_ == 0) data_ = nullptr;
        ALLOT_CHECK(is_aligned(data_, Align), "aligned_span: ", static_cast<const void*>(data_),
                    " is not aligned to ", Align, " bytes");
    }
    // Empty where the items are not aligned so.
    static std::optional<aligned_span> try_from(std::span<T> items) noexcept {
        if (!items.empty() && !is_aligned(items.data(), Align)) return std::nullopt;
        return aligned_span(items);
    }
    // To a view of the same items that promises no more.
    template <class U, std::size_t Less>
        requires(std::is_convertible_v<T (*)[], U (*)[]> && Less <= Align)
    operator aligned_span<U, Less>() const noexcept {
        return aligned_span<U, Less>(std::span<U>(data_, size_));
    }
    operator std::span<T>() const noexcept { return span(); }

    // A multiple of Align; nullptr (which is one) when empty.
    T* data() const noexcept { return std::assume_aligned<Align>(data_); }
    std::size_t size() const noexcept { return size_; }
    bool empty() const noexcept { return size_ == 0; }
    std::span<T> span() const noexcept { return {data(), size_}; }
    T* begin() const noexcept { return data(); }
    T* end() const noexcept { return data_ + size_; }
    // Expects: index < size().
    T& operator[](std::size_t index) const noexcept { return data()[index]; }

    // The first items, at most `count`: still aligned. What begins elsewhere is a plain span().subspan().
    aligned_span first(std::size_t count) const noexcept {
        return aligned_span(std::span<T>(data_, count < size_ ? count : size_));
    }

private:
    T* data_ = nullptr;
    std::size_t size_ = 0;
};

} // namespace allot
