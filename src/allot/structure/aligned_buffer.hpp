// aligned_buffer: a growing array of plain items whose alignment stands in its type and holds at every
// growth.
//
// Use it for what SIMD loops read: columns, samples, text. For items with constructors take std::vector or
// std::pmr::vector, which promise alignof(T); for bytes that are only appended take buffer.
// Owns its block. Borrows its source.
// The capacity in bytes is a multiple of Align, so that the last vector of a loop lies in memory of its own;
// the bytes behind size() are dead all the same, and read by nobody.
// Threads: compatible.
// Cost: as std::vector: capacity doubles; it grows in place where the source can. Four words.
// Name and limit are its source's.
//
// Fatal, at level on and full:
//     aligned_buffer: index N of N items
//
//     aligned_buffer<float> samples;          // 64 bytes, default_source()
//     samples.push_back(0.5F);
//     samples.append(std::span<const float>(other));
//     samples.resize(1000);                   // new items are zero
//     float* first = samples.data();          // the compiler knows: a multiple of 64
//     aligned_span<float, 64> all = samples;
//     assert(is_aligned(first, 64) && all.size() == 1000);
#pragma once

#include <algorithm>
#include <allot/core/memory_source.hpp>
#include <allot/core/poison.hpp>
#include <allot/source/default_source.hpp>
#include <allot/structure/aligned_span.hpp>
#include <cstring>
#include <type_traits>
#include <utility>

namespace allot {

namespace detail {

// What all aligned buffers share; sizes in bytes.
struct aligned_block {
    memory_source* source = nullptr; // borrowed
    std::byte* data = nullptr;
    std::size_t size = 0;
    std::size_t capacity = 0;
};
// A capacity of `wanted` bytes or more; false on shortage, and nothing changed.
bool try_reserve(aligned_block& of, std::size_t wanted, std::size_t align, bool exactly) noexcept;
void release(aligned_block& of, std::size_t align) noexcept;

} // namespace detail

template <class T, std::size_t Align = 64>
class aligned_buffer {
    static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>);
    static_assert(is_power_of_two(Align) && Align >= alignof(T));

public:
    static constexpr std::size_t alignment = Align;

    aligned_buffer() noexcept : aligned_buffer(default_source()) {}
    // Takes nothing from the source yet.
    explicit aligned_buffer(memory_source& source) noexcept : block_{.source = &source} {}
    aligned_buffer(aligned_buffer&& other) noexcept
        : block_(std::exchange(other.block_, {.source = other.block_.source})) {}
    aligned_buffer& operator=(aligned_buffer&& other) noexcept {
        if (this != &other) {
            release();
            block_ = std::exchange(other.block_, {.source = other.block_.source});
        }
        return *this;
    }
    ~aligned_buffer() { release(); }

    // A multiple of Align; nullptr (which is one) while nothing was reserved.
    T* data() noexcept { return std::assume_aligned<Align>(reinterpret_cast<T*>(block_.data)); }
    const T* data() const noexcept { return const_cast<aligned_buffer*>(this)->data(); }
    std::size_t size() const noexcept { return block_.size / sizeof(T); }
    std::size_t capacity() const noexcept { return block_.capacity / sizeof(T); }
    bool empty() const noexcept { return block_.size == 0; }
    aligned_span<T, Align> span() noexcept { return aligned_span<T, Align>(std::span(data(), size())); }
    aligned_span<const T, Align> span() const noexcept {
        return aligned_span<const T, Align>(std::span(data(), size()));
    }
    operator aligned_span<T, Align>() noexcept { return span(); }
    operator aligned_span<const T, Align>() const noexcept { return span(); }
    T* begin() noexcept { return data(); }
    T* end() noexcept { return data() + size(); }
    const T* begin() const noexcept { return data(); }
    const T* end() const noexcept { return data() + size(); }
    // Expects: index < size().
    T& operator[](std::size_t index) noexcept {
        ALLOT_CHECK(index < size(), "aligned_buffer: index ", index, " of ", size(), " items");
        return data()[index];
    }
    const T& operator[](std::size_t index) const noexcept {
        return const_cast<aligned_buffer&>(*this)[index];
    }

    // All try_… below: false on shortage, and nothing changed. Invalidates: items, where the capacity grows.
    [[nodiscard]] bool try_reserve(std::size_t item_count) noexcept {
        std::size_t bytes = 0;
        return checked_multiply(item_count, sizeof(T), bytes)
                   ? detail::try_reserve(block_, bytes, Align, true)
                   : refuse();
    }
    [[nodiscard]] bool try_push_back(T item) noexcept {
        if (block_.capacity - block_.size < sizeof(T) && !grow(sizeof(T))) return false;
        extend(sizeof(T));
        std::memcpy(block_.data + block_.size - sizeof(T), &item, sizeof(T));
        return true;
    }
    // The items may be this buffer's own.
    [[nodiscard]] bool try_append(std::span<const T> items) noexcept {
        if (items.empty()) return true;
        const std::size_t offset =
            reinterpret_cast<std::uintptr_t>(items.data()) - reinterpret_cast<std::uintptr_t>(block_.data);
        const bool own = offset < block_.size;
        const std::size_t before = block_.size;
        if (!try_extend(items.size())) return false;
        std::memcpy(block_.data + before,
                    own ? block_.data + offset : reinterpret_cast<const std::byte*>(items.data()),
                    items.size_bytes());
        return true;
    }
    // New items are value-initialised: their bytes are zero.
    [[nodiscard]] bool try_resize(std::size_t item_count) noexcept {
        if (item_count <= size()) {
            shrink_to(item_count * sizeof(T));
            return true;
        }
        const std::size_t before = block_.size;
        if (!try_extend(item_count - size())) return false;
        std::memset(block_.data + before, 0, block_.size - before);
        return true;
    }
    // So many items more, uninitialised.
    [[nodiscard]] bool try_extend(std::size_t item_count) noexcept {
        std::size_t bytes = 0;
        if (!checked_multiply(item_count, sizeof(T), bytes)) return refuse();
        if (block_.capacity - block_.size < bytes && !grow(bytes)) return false;
        extend(bytes);
        return true;
    }

    // The same, but throw out_of_memory.
    void reserve(std::size_t item_count) { need(try_reserve(item_count)); }
    void push_back(T item) { need(try_push_back(item)); }
    void append(std::span<const T> items) { need(try_append(items)); }
    void resize(std::size_t item_count) { need(try_resize(item_count)); }

    // Forgets the items and keeps the memory.
    void clear() noexcept { shrink_to(0); }
    // Forgets the items and gives the memory back.
    void release() noexcept { detail::release(block_, Align); }
    memory_source& source() const noexcept { return *block_.source; }

private:
    static void need(bool done) {
        if (!done) [[unlikely]]
            throw_out_of_memory();
    }
    bool refuse() noexcept { return block_.source->try_allocate({static_cast<std::size_t>(-1), Align}); }
    [[gnu::noinline]] bool grow(std::size_t more) noexcept {
        std::size_t wanted = 0;
        return checked_add(block_.size, more, wanted) ? detail::try_reserve(block_, wanted, Align, false)
                                                      : refuse();
    }
    void extend(std::size_t bytes) noexcept {
        mark_fresh(block_.data + block_.size, bytes);
        block_.size += bytes;
    }
    void shrink_to(std::size_t bytes) noexcept {
        mark_dead(block_.data + bytes, block_.size - bytes);
        block_.size = bytes;
    }

    detail::aligned_block block_; // size a multiple of sizeof(T), capacity of Align
};

} // namespace allot
