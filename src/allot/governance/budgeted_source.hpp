// budgeted_source: a decorator that charges an allowance for every block, and refuses when it does.
//
// Below an arena it limits chunks, above one each object; both stop at the byte. The allowance is a budget as
// a rule. For numbers take tracked_source; it goes above this one, so that a refused request enters no books.
// Owns nothing. Borrows upstream and allowance.
// Threads: as upstream, with an allowance for any thread, as a budget is.
// Cost: one charge or refund per call (budget.hpp), no byte per block.
// What is charged is upstream's good_size, and that is refunded. A block that must move to grow is charged
// twice while it moves, unless upstream's traits say that it moves without a copy.
// Fatal: `allot: fatal: budgeted_source 'x': made without a limit`.
// The numbers stand in the allowance; usage has refused_count alone.
//
//     budget session({.name = "session", .limit_bytes = 100});
//     budgeted_source limited({.upstream = &source, .limit = &session});
//     void* block = limited.allocate(layout{.size = 100});
//     assert(!limited.try_allocate({.size = 1}) && last_refusal().who == name("session"));
//     limited.deallocate(block, {.size = 100});
#pragma once

#include <allot/core/allowance.hpp>
#include <allot/core/memory_source.hpp>
#include <allot/core/name.hpp>
#include <atomic>
#include <cstdint>

namespace allot {

struct budgeted_source_options {
    allot::name name = "budgeted_source";
    memory_source* upstream = nullptr; // nullptr: default_source()
    allowance* limit = nullptr;        // required
};

class budgeted_source final : public memory_source {
public:
    explicit budgeted_source(budgeted_source_options wanted) noexcept;

    allot::usage usage() const noexcept {
        return {.refused_count = refused_count_.load(std::memory_order_relaxed)};
    }

private:
    void* do_try_allocate(layout wanted) noexcept override;
    void do_give_back(void* address, layout given) noexcept override;
    bool do_try_resize(void* address, layout given, std::size_t new_size) noexcept override;
    void* do_try_reallocate(void* address, layout given, std::size_t new_size) noexcept override;
    std::size_t do_good_size(layout wanted) const noexcept override;
    source_traits do_traits() const noexcept override;
    source_description do_describe() const noexcept override;

    struct difference;
    difference cost_of(layout given, std::size_t new_size) const noexcept;
    bool charge(std::uint64_t bytes) noexcept;

    memory_source& upstream_;
    allowance& limit_;
    std::atomic<std::uint64_t> refused_count_ = 0;
    allot::name name_;
};

} // namespace allot
