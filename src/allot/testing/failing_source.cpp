#include <allot/testing/failing_source.hpp>

namespace allot {
namespace {

// splitmix64: a well mixed number for each (seed, index), whatever the order in which threads come.
std::uint64_t mixed(std::uint64_t seed, std::uint64_t index) noexcept {
    std::uint64_t z = seed + index * 0x9e37'79b9'7f4a'7c15;
    z = (z ^ (z >> 30)) * 0xbf58'476d'1ce4'e5b9;
    z = (z ^ (z >> 27)) * 0x94d0'49bb'1331'11eb;
    return z ^ (z >> 31);
}

bool refuses(const failure_plan& plan, std::uint64_t index) noexcept {
    if (plan.at != 0 && (plan.lasting ? index >= plan.at : index == plan.at)) return true;
    if (plan.every != 0 && index % plan.every == 0) return true;
    return static_cast<double>(mixed(plan.seed, index) >> 11) * 0x1p-53 < plan.probability;
}

} // namespace

void failing_source::plan(const failure_plan& next) noexcept {
    plan_ = next;
    request_count_.store(0, std::memory_order_relaxed);
    refused_count_.store(0, std::memory_order_relaxed);
}

bool failing_source::refuses_next() noexcept {
    const std::uint64_t index = request_count_.fetch_add(1, std::memory_order_relaxed) + 1;
    if (!refuses(plan_, index)) return false;
    refused_count_.fetch_add(1, std::memory_order_relaxed);
    return true;
}

void* failing_source::refuse(layout asked) noexcept {
    note_refusal({.who = name_, .kind = "failing_source", .asked = asked});
    return nullptr;
}

void* failing_source::do_try_allocate(layout wanted) noexcept {
    return refuses_next() ? refuse(wanted) : upstream_.try_allocate(wanted);
}

void failing_source::do_give_back(void* address, layout given) noexcept {
    upstream_.deallocate(address, given);
}

block failing_source::do_try_allocate_at_least(layout wanted) noexcept {
    return refuses_next() ? block{refuse(wanted), 0} : upstream_.try_allocate_at_least(wanted);
}

bool failing_source::do_try_resize(void* address, layout given, std::size_t new_size) noexcept {
    return !refuses_next() && upstream_.try_resize(address, given, new_size);
}

void* failing_source::do_try_reallocate(void* address, layout given, std::size_t new_size) noexcept {
    return refuses_next() ? refuse({new_size, given.align})
                          : upstream_.try_reallocate(address, given, new_size);
}

std::size_t failing_source::do_good_size(layout wanted) const noexcept { return upstream_.good_size(wanted); }

source_traits failing_source::do_traits() const noexcept { return upstream_.traits(); }

source_description failing_source::do_describe() const noexcept {
    return {.name = name_,
            .kind = "failing_source",
            .upstream = &upstream_,
            .usage = {.refused_count = refused_count()}};
}

} // namespace allot
