// page_source: blocks straight from the system in whole pages, zeroed, and back to it at once.
//
// Use it under what takes large chunks: an arena, a pool, a buffer. Not for single objects: a block costs at
// least a page and two system calls; take malloc_source or a structure.
// Owns nothing: a block lives until it is given back, also when the source is gone by then.
// Threads: any.
// Cost: a system call each way (some microseconds, three calls where an alignment above a page is not met by luck)
// and a fault per page at its first touch. try_resize within the last page is free, elsewhere a system call;
// try_reallocate moves pages instead of bytes. good_size is the size rounded up to pages.
//
// From huge_bytes_min on, the system is asked for huge pages. It can give them only to whole multiples of
// them: ask for {2 MiB, align 2 MiB}, which is served without a byte of waste.
// The bytes by which try_resize or try_reallocate made a block longer are not promised to be zero.
//
//     page_source pages({.name = "chunks"});
//     void* chunk = pages.try_allocate({.size = mebibytes(2), .align = mebibytes(2)});
//     assert(chunk != nullptr && pages.usage().held_bytes == mebibytes(2));
//     chunk = pages.try_reallocate(chunk, {mebibytes(2), mebibytes(2)}, mebibytes(4));
//     pages.deallocate(chunk, {mebibytes(4), mebibytes(2)});
//
// Fatal: at level on
//     page_source 'NAME': ADDRESS is not the start of a block of whole pages (SIZE bytes aligned to ALIGN)
#pragma once

#include <allot/core/memory_source.hpp>
#include <allot/core/name.hpp>
#include <allot/source/block_counters.hpp>

namespace allot {

struct page_source_options {
    allot::name name = "pages";
    std::size_t huge_bytes_min = mebibytes(2); // usage::unlimited: never
};

class page_source final : public memory_source {
public:
    explicit page_source(page_source_options how = {}) noexcept
        : name_(how.name), huge_bytes_min_(how.huge_bytes_min) {}

    // Exact when no other thread is inside a call; free_bytes is 0.
    allot::usage usage() const noexcept { return counters_.read(); }

private:
    void* do_try_allocate(layout wanted) noexcept override;
    void do_give_back(void* address, layout given) noexcept override;
    bool do_try_resize(void* address, layout given, std::size_t new_size) noexcept override;
    void* do_try_reallocate(void* address, layout given, std::size_t new_size) noexcept override;
    std::size_t do_good_size(layout wanted) const noexcept override;
    source_traits do_traits() const noexcept override;
    source_description do_describe() const noexcept override;

    // The block's pages; fatal where it cannot be one of ours.
    block pages_of(void* address, layout given) const noexcept;
    void hand_out(block pages, std::size_t size) noexcept;

    const name name_;
    const std::size_t huge_bytes_min_;
    detail::shared_block_counters counters_;
};

} // namespace allot
