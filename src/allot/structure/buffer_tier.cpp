#include <algorithm>
#include <allot/structure/buffer_tier.hpp>
#include <new>

namespace allot::detail {
namespace {

// Page-aligned addresses share their cache sets from one page to the next: 64 sets of a 32 KiB cache of 8 ways.
constexpr std::size_t colour_period = 4096;

std::size_t colour_of(const void* address) noexcept {
    return reinterpret_cast<std::uintptr_t>(address) % colour_period / buffer_align;
}

} // namespace

bool are_valid(std::span<const buffer_tier> tiers) noexcept {
    std::size_t smaller = 0;
    for (const buffer_tier& each : tiers) {
        if (each.size <= smaller || each.size % buffer_align != 0) return false;
        smaller = each.size;
    }
    return !tiers.empty() && tiers.size() <= buffer_tier_count_max;
}

buffer_tier_sizes::buffer_tier_sizes(std::span<const buffer_tier> tiers) noexcept : buffer_tier_sizes() {
    for (std::size_t i = 0; i != tiers.size(); ++i) size_[i] = tiers[i].size;
    for (unsigned width = 1; width != 65; ++width) // the smallest size of that width
        while (size_[first_[width]] < std::size_t{1} << (width - 1)) ++first_[width];
}

layout buffer_block_layout(std::size_t size, bool coloured) noexcept {
    const std::size_t slack =
        coloured ? std::min(align_down(size / 8, buffer_align), colour_period - buffer_align) : 0;
    std::size_t whole = static_cast<std::size_t>(-1); // which every source refuses
    (void)checked_add(size, sizeof(buffer_head) + slack, whole);
    return {whole, buffer_align};
}

buffer_head* make_buffer(memory_source& upstream, std::size_t size, buffer_colours* colours) noexcept {
    const block got = upstream.try_allocate_at_least(buffer_block_layout(size, colours != nullptr));
    if (!got) return nullptr;
    auto* first = static_cast<std::byte*>(got.address);
    if (colours) {
        const std::size_t reach =
            std::min((got.size - size) / buffer_align, buffer_colours::count); // heads that fit: at least one
        std::byte* best = first;
        const auto used = [&](const std::byte* at) {
            return colours->used_count[colour_of(at)].load(std::memory_order_relaxed);
        };
        for (std::size_t i = 1; i < reach; ++i) {
            std::byte* const next = first + i * buffer_align;
            if (used(next) < used(best)) best = next;
        }
        colours->used_count[colour_of(best)].fetch_add(1, std::memory_order_relaxed);
        first = best;
    }
    auto* const head = ::new (first) buffer_head{.block = got.address, .block_size = got.size};
    if constexpr (poisons) { // poisoned, not filled: no page is touched before it is used
        auto* const begin = static_cast<std::byte*>(got.address);
        auto* const data = static_cast<std::byte*>(head->data());
        mark_dead(begin, static_cast<std::size_t>(first - begin), false);
        mark_dead(data, static_cast<std::size_t>(begin + got.size - data), false);
    }
    return head;
}

void dispose_buffer(memory_source& upstream, buffer_head* head, std::size_t size,
                    buffer_colours* colours) noexcept {
    if (colours) colours->used_count[colour_of(head)].fetch_sub(1, std::memory_order_relaxed);
    void* const block = head->block;
    const layout given{head->block_size, buffer_align};
    allot::mark_live(block, given.size);
    if (head->tenant != 0)
        std::memset(head->data(), 0, size); // what comes after in this memory is not its tenant's
    upstream.deallocate(block, given);
}

std::uint64_t tenant_of_buffer(void* data) noexcept {
    buffer_head* const head = buffer_head::of(data);
    if constexpr (poisons) allot::mark_live(head, sizeof *head);
    const std::uint64_t tenant = head->tenant;
    if constexpr (poisons) mark_dead(head, sizeof *head, false);
    return tenant;
}

void pass_on_buffer(buffer_head* head, std::size_t size, std::uint64_t tenant) noexcept {
    allot::mark_live(head, sizeof *head);
    head->tenant = tenant;
    std::memset(head->data(), 0, size);
    if constexpr (poisons) mark_dead(head, sizeof *head, false);
}

} // namespace allot::detail
