// null_source: refuses everything.
//
// Use it as the upstream of what must never grow (an arena that may only fill its first chunk), and as the
// end of a fallback. For a limit above zero take a budget.
// Owns nothing.
// Threads: any.
// Cost: a refusal, which copies 88 bytes.
//
//     null_source nothing({.name = "no growth"});
//     assert(nothing.try_allocate({.size = 1}) == nullptr);
//     assert(last_refusal().who.view() == "no growth" && last_refusal().limit_bytes == 0);
//
// Fatal: at level on
//     null_source 'NAME': deallocate of ADDRESS with SIZE bytes, but it never gave a block
#pragma once

#include <allot/core/memory_source.hpp>
#include <allot/core/name.hpp>
#include <allot/source/block_counters.hpp>

namespace allot {

struct null_source_options {
    allot::name name = "null";
};

class null_source final : public memory_source {
public:
    explicit null_source(null_source_options how = {}) noexcept : name_(how.name) {}

    // Fills refused_count and limit_bytes, which is 0.
    allot::usage usage() const noexcept;

private:
    void* do_try_allocate(layout wanted) noexcept override;
    void do_give_back(void* address, layout given) noexcept override;
    source_traits do_traits() const noexcept override;
    source_description do_describe() const noexcept override;

    const name name_;
    detail::shared_counter refused_count_;
};

} // namespace allot
