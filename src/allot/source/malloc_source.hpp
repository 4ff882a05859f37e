// malloc_source: blocks from the C library's allocator, or from whatever stands in for it.
//
// The bottom for most programs: default_source() is one. For whole chunks that should go back to the system
// at once, and for huge pages, take page_source; for a limit or for numbers put budgeted_source or
// tracked_source over it.
// Owns nothing: a block lives until it is given back, also when the source is gone by then.
// Threads: any. It counts its refusals and nothing else, for a count of blocks would be one word that all
// threads write.
// Cost: malloc's own and a virtual call. try_resize answers no: what lies behind a block is malloc's secret.
// try_reallocate is realloc up to the alignment of max_align_t, beyond that a copy. good_size is the size:
// malloc's rounding is no pure function of a layout.
//
//     malloc_source source({.name = "plug-in"});
//     void* row = source.try_allocate({.size = 100, .align = 64});
//     assert(row != nullptr);
//     source.deallocate(row, {.size = 100, .align = 64});
#pragma once

#include <allot/core/memory_source.hpp>
#include <allot/core/name.hpp>
#include <allot/source/block_counters.hpp>

namespace allot {

struct malloc_source_options {
    allot::name name = "malloc";
};

class malloc_source final : public memory_source {
public:
    explicit malloc_source(malloc_source_options how = {}) noexcept : name_(how.name) {}

    // Fills refused_count.
    allot::usage usage() const noexcept;

private:
    void* do_try_allocate(layout wanted) noexcept override;
    void do_give_back(void* address, layout given) noexcept override;
    void* do_try_reallocate(void* address, layout given, std::size_t new_size) noexcept override;
    source_traits do_traits() const noexcept override;
    source_description do_describe() const noexcept override;

    [[gnu::cold]] void refuse(layout wanted) noexcept;

    const name name_;
    detail::shared_counter refused_count_;
};

} // namespace allot
