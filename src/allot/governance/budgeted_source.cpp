#include <allot/core/contract.hpp>
#include <allot/governance/budgeted_source.hpp>
#include <allot/source/default_source.hpp>

namespace allot {
namespace {

allowance& checked(allowance* limit, const name& who) noexcept {
    ALLOT_EXPECT(limit, "budgeted_source '", who.view(), "': made without a limit");
    return *limit;
}

} // namespace

budgeted_source::budgeted_source(budgeted_source_options wanted) noexcept
    : upstream_(wanted.upstream ? *wanted.upstream : default_source()),
      limit_(checked(wanted.limit, wanted.name)),
      name_(wanted.name) {}

bool budgeted_source::charge(std::uint64_t bytes) noexcept {
    if (bytes == 0 || limit_.try_charge(bytes)) return true;
    refused_count_.fetch_add(1, std::memory_order_relaxed);
    return false;
}

void* budgeted_source::do_try_allocate(layout wanted) noexcept {
    const std::size_t cost = upstream_.good_size(wanted);
    if (!charge(cost)) return nullptr;
    void* const address = upstream_.try_allocate(wanted);
    if (!address) {
        limit_.refund(cost);
        refused_count_.fetch_add(1, std::memory_order_relaxed);
    }
    return address;
}

void budgeted_source::do_give_back(void* address, layout given) noexcept {
    upstream_.deallocate(address, given);
    limit_.refund(upstream_.good_size(given));
}

// What a change of size costs more, and afterwards less: never both.
struct budgeted_source::difference {
    std::uint64_t more = 0;
    std::uint64_t less = 0;
};

budgeted_source::difference budgeted_source::cost_of(layout given, std::size_t new_size) const noexcept {
    const std::uint64_t before = upstream_.good_size(given);
    const std::uint64_t after = upstream_.good_size({new_size, given.align});
    return {.more = after > before ? after - before : 0, .less = before > after ? before - after : 0};
}

bool budgeted_source::do_try_resize(void* address, layout given, std::size_t new_size) noexcept {
    const difference cost = cost_of(given, new_size);
    if (!charge(cost.more)) return false;
    const bool done = upstream_.try_resize(address, given, new_size);
    if (const std::uint64_t back = done ? cost.less : cost.more; back != 0) limit_.refund(back);
    return done;
}

void* budgeted_source::do_try_reallocate(void* address, layout given, std::size_t new_size) noexcept {
    // Two blocks may live while one is copied, and both are paid: memory_source does it step by step with the
    // functions above.
    if (!upstream_.traits().moves) return memory_source::do_try_reallocate(address, given, new_size);
    const difference cost = cost_of(given, new_size);
    if (!charge(cost.more)) return nullptr;
    void* const moved = upstream_.try_reallocate(address, given, new_size);
    if (!moved) refused_count_.fetch_add(1, std::memory_order_relaxed);
    if (const std::uint64_t back = moved ? cost.less : cost.more; back != 0) limit_.refund(back);
    return moved;
}

std::size_t budgeted_source::do_good_size(layout wanted) const noexcept {
    return upstream_.good_size(wanted);
}

source_traits budgeted_source::do_traits() const noexcept { return upstream_.traits(); }

source_description budgeted_source::do_describe() const noexcept {
    return {.name = name_, .kind = "budgeted_source", .upstream = &upstream_, .usage = usage()};
}

} // namespace allot
