// buffer_source: hands out the bytes of one buffer that the caller has: on the stack, in a static, in a
// mapping.
//
// Use it for a first stretch without any allocator, mostly as the first of a fallback_source, or to limit
// something to a fixed piece of memory. For many objects that die together take an arena, which has marks and
// asks for more when its chunk is full.
// Owns nothing; borrows the buffer, which must outlive it. Its blocks need not be given back.
// Threads: one at a time; describe() from any.
// Cost: about 3 ns a call, no bytes in the buffer but the padding before an aligned block. Space
// comes back when the newest block is given back or shrinks, and when no block is left; an older block's
// space waits for that. try_resize grows the newest block, and shrinks any. good_size is the size.
// At level full, and under AddressSanitizer, what is not handed out is dead until the source dies.
//
//     std::array<std::byte, 1024> bytes;
//     buffer_source source(bytes, {.name = "scratch"});
//     void* row = source.try_allocate({.size = 100, .align = 16});
//     assert(source.owns(row) && source.usage().live_bytes == 100);
//     source.deallocate(row, {.size = 100, .align = 16});
//     assert(source.try_allocate({.size = 2000}) == nullptr); // last_refusal() says why
//
// Fatal: at level on
//     buffer_source 'NAME': ADDRESS with SIZE bytes is not a block of it
#pragma once

#include <allot/core/memory_source.hpp>
#include <allot/core/name.hpp>
#include <allot/source/block_counters.hpp>
#include <span>

namespace allot {

struct buffer_source_options {
    allot::name name = "buffer";
};

class buffer_source final : public memory_source {
public:
    explicit buffer_source(std::span<std::byte> buffer, buffer_source_options how = {}) noexcept;
    ~buffer_source() override;

    // Whether a block at this address would be one of this buffer.
    bool owns(const void* address) const noexcept;
    // held_bytes and limit_bytes are the buffer's size, held_count 1.
    allot::usage usage() const noexcept;
    // Fatal when the books do not close.
    void check() const noexcept;

private:
    void* do_try_allocate(layout wanted) noexcept override;
    void do_give_back(void* address, layout given) noexcept override;
    bool do_try_resize(void* address, layout given, std::size_t new_size) noexcept override;
    source_traits do_traits() const noexcept override;
    source_description do_describe() const noexcept override;

    // Where the block begins in the buffer; fatal where it is none of it.
    std::size_t offset_of(const void* address, layout given) const noexcept;

    // live ≤ used ≤ buffer.size(); blocks lie in [0, used), the newest ends there unless it was given back
    // out of order.
    const name name_;
    const std::span<std::byte> buffer_; // borrowed
    detail::owned_counter used_;
    detail::owned_block_counters counters_;
};

} // namespace allot
