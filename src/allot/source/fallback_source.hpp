// fallback_source: asks the first source, and the second when the first refuses.
//
// Use it for a small fast stretch before the general allocator: a buffer on the stack, then malloc. For a
// chain of three make the second a fallback_source. Do not use it to go beyond a limit: what the second gives
// is not under it.
// The first must be able to say whose a block is: it has owns(address), as buffer_source, region, arena and
// pool have. Nothing is ever guessed.
// Owns nothing; borrows both, which must outlive it.
// Threads: as the less able of the two; describe() from any.
// Cost: one virtual call over the first's own, and its owns() when a block comes back; a counter that threads
// share where the second is asked. A block of the first that must grow beyond it is copied into the second.
// good_size is the smallest size that both call good, so that it holds whoever serves.
//
//     std::array<std::byte, 1024> bytes;
//     buffer_source stack(bytes);
//     fallback_source source(stack, default_source(), {.name = "stack, then malloc"});
//     void* here = source.try_allocate({.size = 1000});
//     void* there = source.try_allocate({.size = 1000});
//     assert(stack.owns(here) && !stack.owns(there) && source.fallback_count() == 1);
//     source.deallocate(there, {.size = 1000});
//     source.deallocate(here, {.size = 1000});
#pragma once

#include <allot/core/memory_source.hpp>
#include <allot/core/name.hpp>
#include <allot/source/block_counters.hpp>
#include <concepts>

namespace allot {

struct fallback_source_options {
    allot::name name = "fallback";
};

// A source that knows its own blocks by their address.
template <class Source>
concept owning_source =
    std::derived_from<Source, memory_source> && requires(const Source& source, const void* address) {
        { source.owns(address) } noexcept -> std::same_as<bool>;
    };

class fallback_source final : public memory_source {
public:
    template <owning_source First>
    fallback_source(First& first, memory_source& second, fallback_source_options how = {}) noexcept
        : name_(how.name),
          first_(first),
          second_(second),
          first_owns_([](const memory_source& source, const void* address) noexcept {
              return static_cast<const First&>(source).owns(address);
          }) {}

    // How many blocks the second gave because the first refused.
    std::uint64_t fallback_count() const noexcept { return fallback_count_.load(); }
    // Fills refused_count: both refused.
    allot::usage usage() const noexcept { return {.refused_count = refused_count_.load()}; }

private:
    void* do_try_allocate(layout wanted) noexcept override;
    void do_give_back(void* address, layout given) noexcept override;
    bool do_try_resize(void* address, layout given, std::size_t new_size) noexcept override;
    void* do_try_reallocate(void* address, layout given, std::size_t new_size) noexcept override;
    std::size_t do_good_size(layout wanted) const noexcept override;
    source_traits do_traits() const noexcept override;
    source_description do_describe() const noexcept override;

    void* fall_back(layout wanted) noexcept;
    memory_source& owner_of(const void* address) const noexcept {
        return first_owns_(first_, address) ? first_ : second_;
    }

    const name name_;
    memory_source& first_;  // borrowed
    memory_source& second_; // borrowed
    bool (*const first_owns_)(const memory_source& first, const void* address) noexcept;
    detail::shared_counter fallback_count_;
    detail::shared_counter refused_count_;
};

} // namespace allot
