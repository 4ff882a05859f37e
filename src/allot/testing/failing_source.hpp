// failing_source: a source that refuses by plan, to test what happens when memory is short.
//
// Use it below whatever must survive a shortage. To try every point at which memory can run out, take
// for_each_failure. To limit bytes rather than requests, take governance's budgeted_source.
// Borrows its upstream. Adds nothing to a block.
// A request is each call that may say no: try_allocate, try_allocate_at_least, try_resize, try_reallocate,
// and what is built on them. A refused try_resize only answers false, as a source that cannot grow in place
// does; the others note a refusal.
// Threads: as thread-safe as its upstream; plan() while others allocate only for one thread's tests.
// Cost: an atomic addition and a virtual call.
//
//     failing_source failing(source, {.plan = {.at = 2}});
//     void* first = failing.try_allocate({.size = 32});
//     void* second = failing.try_allocate({.size = 32}); // nullptr: last_refusal().who is "failing"
//     void* third = failing.try_allocate({.size = 32});
//     assert(first && !second && third && failing.refused_count() == 1);
#pragma once

#include <allot/core/memory_source.hpp>
#include <atomic>

namespace allot {

// Requests are counted from 1, anew with each plan. What several fields say is refused together.
struct failure_plan {
    std::uint64_t at = 0;     // refuse this request; 0: none
    bool lasting = false;     // … and all that follow it
    std::uint64_t every = 0;  // refuse each so-many-th; 0: none
    double probability = 0.0; // refuse so often, in a sequence that seed and number of the request fix
    std::uint64_t seed = 1;
};

struct failing_source_options {
    allot::name name = "failing";
    failure_plan plan = {};
};

class failing_source final : public memory_source {
public:
    explicit failing_source(memory_source& upstream, const failing_source_options& how = {}) noexcept
        : name_(how.name), upstream_(upstream), plan_(how.plan) {}

    // From here on; request_count() and refused_count() begin at 0.
    void plan(const failure_plan& next) noexcept;

    std::uint64_t request_count() const noexcept { return request_count_.load(std::memory_order_relaxed); }
    std::uint64_t refused_count() const noexcept { return refused_count_.load(std::memory_order_relaxed); }

protected:
    void* do_try_allocate(layout wanted) noexcept override;
    void do_give_back(void* address, layout given) noexcept override;
    block do_try_allocate_at_least(layout wanted) noexcept override;
    bool do_try_resize(void* address, layout given, std::size_t new_size) noexcept override;
    void* do_try_reallocate(void* address, layout given, std::size_t new_size) noexcept override;
    std::size_t do_good_size(layout wanted) const noexcept override;
    source_traits do_traits() const noexcept override;
    source_description do_describe() const noexcept override; // usage: refused_count

private:
    bool refuses_next() noexcept; // counts the request
    void* refuse(layout asked) noexcept;

    allot::name name_;
    memory_source& upstream_; // borrowed
    failure_plan plan_;
    std::atomic<std::uint64_t> request_count_ = 0;
    std::atomic<std::uint64_t> refused_count_ = 0;
};

} // namespace allot
