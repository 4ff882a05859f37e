// buffer: bytes that are appended to, in one block that grows; to be emptied and used again.
//
// Use it for what is read, built up or sent piece by piece: a request's body, a line, a packed record. For
// items of a type take aligned_buffer or std::pmr::vector; for text that std must hold, std::pmr::string.
// Owns its block. Borrows its source: any memory_source, or a buffer_pool, to which the block goes back.
// Threads: compatible. A buffer whose source is thread_safe may be moved to another thread and die there.
// Cost: appending is a compare and a copy. Growth doubles at least, takes all that the source grants
// (good_size), and is in place where the source can (try_resize, then try_reallocate, which pages answer
// without copying). Five words. Name and limit are its source's.
//
// Fatal:
//     buffer: a slice of N items at N is not within N bytes [at level off, too]
//     buffer: truncate to N of N bytes
//
//     buffer message(source);
//     message.append("content-length: ");
//     message.append("42");
//     assert(message.text() == "content-length: 42");
//     message.append(message.text());                         // its own bytes, while it grows
//     assert(message.size() == 36);
//     assert(message.slice<char>({.start = 16, .count = 2})[1] == '2');
//     assert(!message.try_slice<char>({.start = 35, .count = 2}));
//     message.clear();                                        // forgets the bytes, keeps the block
#pragma once

#include <allot/core/memory_source.hpp>
#include <allot/core/poison.hpp>
#include <cstddef>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>

namespace allot {

// Counted in items, from the first byte on.
struct slice_range {
    std::size_t start = 0;
    std::size_t count = 0;
};

// A block on its way between owners. It is still live in its source's books: whoever has it gives it back
// with source->deallocate(address, block), or makes a buffer of it (buffer::adopt).
struct stolen_block {
    void* address = nullptr;
    layout block{.size = 0};         // what the source knows it by
    std::size_t size = 0;            // bytes that are written: the first ones
    memory_source* source = nullptr; // borrowed
};

class buffer {
public:
    // Over default_source().
    buffer() noexcept;
    // Takes nothing from the source yet. Expects: align is a power of two.
    explicit buffer(memory_source& source, std::size_t align = alignof(std::max_align_t)) noexcept
        : source_(&source), align_(align) {}
    // The owner of a block from here on. Expects: a live block of that source, with that layout.
    static buffer adopt(const stolen_block& block) noexcept {
        buffer made(*block.source, block.block.align);
        made.data_ = static_cast<std::byte*>(block.address);
        made.size_ = block.size;
        made.capacity_ = block.block.size;
        if (made.data_) mark_dead(made.data_ + made.size_, made.capacity_ - made.size_);
        return made;
    }
    buffer(buffer&& other) noexcept
        : source_(other.source_),
          data_(other.data_),
          size_(other.size_),
          capacity_(other.capacity_),
          align_(other.align_) {
        other.forget();
    }
    buffer& operator=(buffer&& other) noexcept;
    ~buffer() {
        if (data_) release();
    }

    std::byte* data() noexcept { return data_; }
    const std::byte* data() const noexcept { return data_; }
    std::size_t size() const noexcept { return size_; }
    std::size_t capacity() const noexcept { return capacity_; }
    bool empty() const noexcept { return size_ == 0; }
    std::span<std::byte> bytes() noexcept { return {data_, size_}; }
    std::span<const std::byte> bytes() const noexcept { return {data_, size_}; }
    std::string_view text() const noexcept { return {reinterpret_cast<const char*>(data_), size_}; }
    memory_source& source() const noexcept { return *source_; }

    // All try_… below: false, or an empty answer, on shortage, and nothing changed; sizes that overflow are
    // one.
    // Invalidates: pointers to the bytes, where the capacity grows.

    // The bytes may be this buffer's own.
    [[nodiscard]] bool try_append(std::span<const std::byte> more) noexcept;
    [[nodiscard]] bool try_append(std::string_view more) noexcept {
        return try_append(std::as_bytes(std::span(more.data(), more.size())));
    }
    // So many bytes more, uninitialised, to be written by the caller (read(), a decoder). With a count of 0
    // the answer is an empty span.
    [[nodiscard]] std::optional<std::span<std::byte>> try_extend(std::size_t count) noexcept;
    [[nodiscard]] bool try_reserve(std::size_t capacity) noexcept {
        return capacity <= capacity_ || grow(capacity);
    }
    // Gives back what is not written, where the source can; false where it cannot.
    bool try_shrink() noexcept;
    // Moves to another source, whose books have the block from then on, in place of this one's.
    [[nodiscard]] bool try_move_to(memory_source& other) noexcept;

    // The same, but throw out_of_memory.
    void append(std::span<const std::byte> more) { need(try_append(more)); }
    void append(std::string_view more) { need(try_append(more)); }
    std::span<std::byte> extend(std::size_t count);
    void reserve(std::size_t capacity) { need(try_reserve(capacity)); }

    // The first bytes only. Expects: size <= size().
    void truncate(std::size_t size) noexcept;
    void clear() noexcept { truncate(0); }
    // The block goes to the source.
    void release() noexcept {
        if (!data_) return;
        mark_live(data_, capacity_);
        source_->deallocate(data_, {capacity_, align_});
        forget();
    }
    // The block leaves without being given back; the buffer is as new.
    [[nodiscard]] stolen_block steal() noexcept;

    // Items of a plain type, as a view; empty where they do not lie within the bytes, or T wants a greater
    // alignment than the block has.
    template <class T>
    std::optional<std::span<const T>> try_slice(slice_range wanted) const noexcept {
        static_assert(std::is_trivially_copyable_v<T>);
        if (!is_within(wanted, sizeof(T)) || alignof(T) > align_) return std::nullopt;
        return std::span(reinterpret_cast<const T*>(data_) + wanted.start, wanted.count);
    }
    // The same; an index out of bounds is a bug.
    template <class T>
    std::span<const T> slice(slice_range wanted) const noexcept {
        const auto found = try_slice<T>(wanted);
        if (!found) [[unlikely]]
            fatal_slice(wanted);
        return *found;
    }

private:
    static void need(bool done) {
        if (!done) [[unlikely]]
            throw_out_of_memory();
    }
    bool is_within(slice_range wanted, std::size_t item_size) const noexcept {
        const std::size_t item_count = size_ / item_size; // division: no product that could overflow
        return wanted.start <= item_count && wanted.count <= item_count - wanted.start;
    }
    [[noreturn, gnu::cold]] void fatal_slice(slice_range wanted) const noexcept;
    bool grow(std::size_t wanted) noexcept; // to a capacity of so many bytes or more
    bool resize_block(std::size_t capacity) noexcept;
    std::byte* make_room(std::size_t more) noexcept; // for so many bytes at the end; nullptr on shortage
    void forget() noexcept {
        data_ = nullptr;
        size_ = 0;
        capacity_ = 0;
    }

    memory_source* source_; // borrowed
    std::byte* data_ = nullptr;
    std::size_t size_ = 0;
    std::size_t capacity_ = 0; // the block's size, as the source knows it
    std::size_t align_;
};

} // namespace allot
