// region: one reserved range of addresses, from which blocks take memory in whole pages as they need it.
//
// Use it under what must grow without moving: a buffer that is one block of it and grows in place, an arena
// whose chunks shall lie side by side. Reserving costs addresses alone, so reserve for the worst case. For
// chunks that may lie anywhere take page_source; for a range of a fixed size that is there already,
// buffer_source.
// Owns the reservation, and with it every block: they need not be given back.
// Threads: one at a time; describe() from any.
// Cost: a system call where pages are taken or given back (some microseconds) and a fault per page at its first
// touch. A block's memory goes back to the system when it is given back; its addresses come back when it is
// the newest block, or when none is left. try_resize grows the newest block in place, and shrinks any.
// good_size is the size rounded up to pages.
// When the system has not so many addresses, the region is made all the same, with none: it refuses
// everything.
//
//     region memory({.name = "log", .reserved_bytes = gibibytes(1)});
//     layout now{.size = 100, .align = 16};
//     void* log = memory.try_allocate(now);
//     assert(log && memory.try_resize(log, now, mebibytes(3))); // the address stays
//     assert(memory.usage().held_bytes == mebibytes(3));
//     memory.deallocate(log, {.size = mebibytes(3), .align = 16});
//
// Fatal: at level on
//     region 'NAME': ADDRESS with SIZE bytes is not a block of it
#pragma once

#include <allot/core/memory_source.hpp>
#include <allot/core/name.hpp>
#include <allot/source/block_counters.hpp>

namespace allot {

struct region_options {
    allot::name name = "region";
    std::size_t reserved_bytes = gibibytes(1); // rounded up to pages
    std::size_t align = 4096;                  // of the first byte
};

class region final : public memory_source {
public:
    explicit region(region_options how = {}) noexcept;
    ~region() override;

    // Whether a block at this address would be one of this region.
    bool owns(const void* address) const noexcept;
    // The whole range; size 0 when the system refused it.
    block reserved() const noexcept { return range_; }
    // held_bytes is what is committed; limit_bytes is what is reserved.
    allot::usage usage() const noexcept;
    // Fatal when the books do not close.
    void check() const noexcept;

private:
    void* do_try_allocate(layout wanted) noexcept override;
    void do_give_back(void* address, layout given) noexcept override;
    bool do_try_resize(void* address, layout given, std::size_t new_size) noexcept override;
    std::size_t do_good_size(layout wanted) const noexcept override;
    source_traits do_traits() const noexcept override;
    source_description do_describe() const noexcept override;

    std::size_t offset_of(const void* address, layout given) const noexcept;
    bool try_take(std::size_t offset, std::size_t size) noexcept;
    void give_up(std::size_t offset, std::size_t size) noexcept;

    // live ≤ held ≤ used ≤ touched ≤ range.size: blocks lie in [0, used), in whole pages, each of them
    // committed, and nothing else is.
    const name name_;
    block range_;
    std::size_t used_ = 0;    // where the next block may begin
    std::size_t touched_ = 0; // the highest that used_ ever was
    detail::owned_block_counters counters_;
};

} // namespace allot
