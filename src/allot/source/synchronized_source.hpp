// synchronized_source: a lock around a source, so that many threads may use it.
//
// Use it for what is asked rarely: the upstream of per-thread arenas, a shared pool's chunks. All threads
// meet on its one lock; where each object goes through it, give each thread a structure of its own over it
// instead.
// Owns nothing; borrows the upstream, which nobody else may use meanwhile and which must outlive it.
// Threads: any. The child of a fork must not use it when a thread of the parent was inside.
// Cost: a lock and its release over the upstream's call (2 ns in a program of one thread); good_size, traits
// and describe take none.
//
//     std::array<std::byte, 4096> bytes;
//     buffer_source buffer(bytes);
//     synchronized_source shared(buffer, {.name = "shared buffer"});
//     std::jthread other([&] { shared.deallocate(shared.try_allocate({.size = 64}), {.size = 64}); });
//     shared.deallocate(shared.try_allocate({.size = 64}), {.size = 64});
#pragma once

#include <allot/core/memory_source.hpp>
#include <allot/core/name.hpp>
#include <allot/source/block_counters.hpp>
#include <mutex>

namespace allot {

struct synchronized_source_options {
    allot::name name = "synchronized";
};

class synchronized_source final : public memory_source {
public:
    explicit synchronized_source(memory_source& upstream, synchronized_source_options how = {}) noexcept
        : name_(how.name), upstream_(upstream) {}

    // Fills refused_count.
    allot::usage usage() const noexcept { return {.refused_count = refused_count_.load()}; }

private:
    void* do_try_allocate(layout wanted) noexcept override;
    block do_try_allocate_at_least(layout wanted) noexcept override;
    void do_give_back(void* address, layout given) noexcept override;
    bool do_try_resize(void* address, layout given, std::size_t new_size) noexcept override;
    void* do_try_reallocate(void* address, layout given, std::size_t new_size) noexcept override;
    std::size_t do_good_size(layout wanted) const noexcept override;
    source_traits do_traits() const noexcept override;
    source_description do_describe() const noexcept override;

    const name name_;
    memory_source& upstream_; // borrowed
    std::mutex lock_;         // guards upstream_'s calls and the writing of refused_count_
    detail::owned_counter refused_count_;
};

} // namespace allot
