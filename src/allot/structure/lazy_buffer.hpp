// lazy_buffer: a block that takes no memory until it is first used, and is then made exactly once.
//
// Use it for memory that most runs of a program never need: a table for a rare path, a thread's scratch. For
// what is always used take buffer or an arena.
// Owns its block. Borrows its source. A first use that meets a shortage leaves it unmade: the next tries
// again.
// Threads: get() from any; those that come while another makes the block wait for it. The source is called by
// one thread at a time, as far as this buffer goes. release() and the destructor want nobody else there.
// A fork while another thread makes the block leaves the child's copy locked: the child must not use it.
// Cost: get() is one load (acquire) after the first. 48 bytes. Name and limit are its source's.
//
//     lazy_buffer table({.bytes = {.size = mebibytes(1), .align = 64}, .zeroed = true});
//     assert(!table.is_made());
//     std::byte* first = table.get();         // made here, by whichever thread comes first
//     assert(table.get() == first && table.size() == mebibytes(1));
#pragma once

#include <allot/core/memory_source.hpp>
#include <allot/platform/threads.hpp>
#include <atomic>
#include <cstddef>
#include <span>

namespace allot {

struct lazy_buffer_options {
    layout bytes;
    memory_source* source = nullptr; // default_source()
    bool zeroed = false;             // the block reads as zero when made
};

class lazy_buffer {
public:
    // Takes nothing from the source. Expects: a valid layout, or size 0, which becomes 1.
    explicit lazy_buffer(const lazy_buffer_options& options) noexcept;
    ~lazy_buffer() { release(); }
    lazy_buffer(const lazy_buffer&) = delete;
    lazy_buffer& operator=(const lazy_buffer&) = delete;

    // nullptr on shortage.
    [[nodiscard]] std::byte* try_get() noexcept {
        std::byte* const made = data_.load(std::memory_order_acquire);
        return made ? made : make();
    }
    // Throws: out_of_memory.
    [[nodiscard]] std::byte* get() {
        std::byte* const made = try_get();
        if (!made) [[unlikely]]
            throw_out_of_memory();
        return made;
    }
    // Throws: out_of_memory.
    std::span<std::byte> bytes() { return {get(), layout_.size}; }

    // True from when the first get() has answered.
    bool is_made() const noexcept { return data_.load(std::memory_order_acquire) != nullptr; }
    std::size_t size() const noexcept { return layout_.size; }
    // Gives the block back; the next get() makes another.
    void release() noexcept;

private:
    [[gnu::noinline]] std::byte* make() noexcept;

    // Ordering: whoever makes the block writes it (zeroes) and then stores data_ with release, under mutex_;
    // a get() that loads it with acquire sees those bytes. A second maker waits at mutex_ and looks again
    // inside.
    std::atomic<std::byte*> data_ = nullptr;
    memory_source& source_; // borrowed
    const layout layout_;
    light_mutex mutex_;
    const bool zeroed_;
};

} // namespace allot
