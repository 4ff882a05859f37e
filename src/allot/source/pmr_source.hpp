// pmr_source: makes a memory_source of any std::pmr::memory_resource.
//
// Use it for resources that are not ours: the standard's pools, a framework's. A memory_source is one already
// and needs none; malloc is malloc_source.
// Owns nothing; borrows the resource, which must outlive it.
// Threads: one at a time, unless the options say that the resource takes any; describe() from any.
// Cost: two virtual calls. try_resize answers no. good_size is the size rounded up to the alignment, and so
// much the resource is asked for: the pools of libstdc++ before 15 misalign other sizes (24 bytes at 16).
// Whatever exception the resource throws from allocate becomes a counted refusal.
//
//     std::pmr::unsynchronized_pool_resource pool;
//     pmr_source source(pool, {.name = "standard pool"});
//     void* row = source.try_allocate({.size = 100});
//     assert(row != nullptr);
//     source.deallocate(row, {.size = 100});
#pragma once

#include <allot/core/memory_source.hpp>
#include <allot/core/name.hpp>
#include <allot/source/block_counters.hpp>

namespace allot {

struct pmr_source_options {
    allot::name name = "pmr";
    bool thread_safe = false; // of the resource, which cannot say it itself
    bool bulk_free = false;   // the resource frees what is left when it dies, as the standard's pools do
};

class pmr_source final : public memory_source {
public:
    explicit pmr_source(std::pmr::memory_resource& upstream, pmr_source_options how = {}) noexcept
        : how_(how), upstream_(upstream) {}

    // Fills refused_count.
    allot::usage usage() const noexcept { return {.refused_count = refused_count_.load()}; }

private:
    void* do_try_allocate(layout wanted) noexcept override;
    void do_give_back(void* address, layout given) noexcept override;
    std::size_t do_good_size(layout wanted) const noexcept override;
    source_traits do_traits() const noexcept override;
    source_description do_describe() const noexcept override;

    const pmr_source_options how_;
    std::pmr::memory_resource& upstream_;  // borrowed
    detail::shared_counter refused_count_; // the resource may be thread-safe
};

} // namespace allot
