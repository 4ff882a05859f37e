#include <algorithm>
#include <allot/core/client_report.hpp>
#include <allot/platform/clock.hpp>
#include <allot/structure/concurrent_pool.hpp>
#include <utility>

// How a concurrent_pool grows, gives slabs back and checks itself. All of it under growing_, or at quiet.

namespace allot {
namespace {

constexpr std::uint64_t slab_slot_bytes_max = gibibytes(4); // so that the division in expect_slot() is exact

} // namespace

layout concurrent_pool::slab_layout(std::uint64_t slot_count) const noexcept {
    return {slot_count * stride_, slot_.align};
}

// Slots for the next slab: as many as wanted, or as the sizes of slabs suggest, where the limits have room.
std::uint64_t concurrent_pool::count_for(std::uint64_t slot_count_wanted) const noexcept {
    const std::uint64_t divisible = std::max<std::uint64_t>(slab_slot_bytes_max / stride_, 1);
    const std::uint64_t fitting = std::max(next_slab_bytes_ / stride_, slot_count_wanted);
    std::uint64_t count = std::min({fitting, divisible, slot_count_max_ - slabs_.slot_count()});
    while (count > 1 && upstream_.good_size(slab_layout(count)) > upstream_.room_bytes())
        count = std::min(count - std::max<std::uint64_t>(count / 8, 1),
                         std::max<std::uint64_t>(upstream_.room_bytes() / stride_, 1));
    return count;
}

// First the magazines for its slots, so that none of them can fail to come back.
bool concurrent_pool::grow(std::uint64_t slot_count_wanted) noexcept {
    std::uint64_t count = count_for(slot_count_wanted);
    if (count == 0) {
        note_limit();
        return false;
    }
    if (!slabs_.try_make_room()) return false;
    void* block = nullptr;
    for (;; count /= 2) { // near a limit a smaller one may be had
        if (cache_.try_reserve(slabs_.slot_count() + count))
            block = upstream_.try_allocate(slab_layout(count));
        if (block || count == 1) break;
        next_slab_bytes_ = slab_sizes_.bytes_min;
    }
    if (!block) return false;
    next_slab_bytes_ = std::clamp(next_slab_bytes_ * 2, slab_sizes_.bytes_min, slab_sizes_.bytes_max);
    // Poisoned, not filled: no slot is touched before it is cut.
    if constexpr (poisons) detail::mark_dead(block, count * stride_, false);
    slabs_.insert(reinterpret_cast<std::uintptr_t>(block), count);
    slab_count_.add(1);
    tell_client();
    return true;
}

void concurrent_pool::tell_client() noexcept {
    report_to_client(client_id_, {.kind = "concurrent_pool",
                                  .who = name_,
                                  .held_bytes = upstream_.held_bytes(),
                                  .held_count = slab_count_.load()});
}

bool concurrent_pool::try_reserve(std::uint64_t slot_count) noexcept {
    const detail::fork_mutex::guard hold(growing_);
    const std::uint64_t live_now = usage().live_count;
    bool enough = slot_count <= slot_count_max_ - live_now;
    if (!enough) note_limit();
    while (enough && slabs_.slot_count() - live_now < slot_count)
        enough = grow(slot_count - (slabs_.slot_count() - live_now));
    if (!enough) refused_count_.add(1);
    return enough;
}

std::uint64_t concurrent_pool::reclaim(reclaim_request wish) noexcept {
    // False at once where this very thread is growing: then upstream's budget asks.
    if (!growing_.try_lock_until(wish.deadline_ns)) return 0;
    const std::uint64_t before = upstream_.held_bytes();
    give_up_free_slabs(cache_.detach(detail::magazine_reach::quiet_threads, wish.deadline_ns));
    cache_.trim(slabs_.slot_count());
    const std::uint64_t after = upstream_.held_bytes();
    if (after != before) tell_client();
    growing_.unlock();
    return before > after ? before - after : 0;
}

// `all` holds the free slots that could be had. Who looks for one meanwhile waits at growing_.
void concurrent_pool::give_up_free_slabs(detail::magazine* all) noexcept {
    for (std::size_t i = 0; i != slabs_.size(); ++i) slabs_.at(i).free_count = 0;
    for (detail::magazine* each = all; each; each = each->next)
        for (std::uint32_t i = 0; i != each->count(); ++i)
            ++slabs_.at(slabs_.index_of(each->items()[i])).free_count;
    for (detail::magazine* each = all; each; each = each->next) {
        const std::uint32_t count = each->count();
        std::uint32_t kept = 0;
        for (std::uint32_t i = 0; i != count; ++i) {
            const auto& home = slabs_.at(slabs_.index_of(each->items()[i]));
            if (home.free_count != home.cut) each->items()[kept++] = each->items()[i];
        }
        each->add(std::uint64_t{kept} - count);
    }
    cache_.attach(all);
    for (std::size_t i = slabs_.size(); i-- != 0;)
        if (slabs_.at(i).free_count == slabs_.at(i).cut) give_up(i);
    if (slabs_.size() == 0) next_slab_bytes_ = slab_sizes_.bytes_min;
}

void concurrent_pool::give_up(std::size_t index) noexcept {
    const detail::slab_range gone = slabs_.range(index);
    const layout all = slab_layout(slabs_.at(index).count);
    cut_count_.add(0 - slabs_.at(index).cut);
    slabs_.erase(index);
    slab_count_.add(static_cast<std::uint64_t>(-1));
    if constexpr (poisons) detail::mark_fresh(reinterpret_cast<void*>(gone.first), all.size, false);
    upstream_.deallocate(reinterpret_cast<void*>(gone.first), all);
}

void concurrent_pool::release() noexcept {
    cache_.drain([](void*) {}, detail::magazine_reach::all);
    while (slabs_.size() != 0) give_up(slabs_.size() - 1);
    tell_client();
}

void concurrent_pool::check() const noexcept {
    cache_.check();
    std::uint64_t capacity = 0, cut = 0, live = 0;
    for (std::size_t i = 0; i != slabs_.size(); ++i) {
        const auto& each = slabs_.at(i);
        const detail::slab_range range = slabs_.range(i);
        ALLOT_EXPECT(i == 0 || slabs_.range(i - 1).first < range.first,
                     "concurrent_pool: slabs are not in order");
        ALLOT_EXPECT(each.cut <= each.count && range.bytes == each.cut * stride_,
                     "concurrent_pool: a slab's numbers are wrong");
        capacity += each.count;
        cut += each.cut;
        if constexpr (checks != check_level::off && !poisons)
            for (std::uint64_t at = 0; at != range.bytes; at += stride_) {
                auto* const slot = reinterpret_cast<void*>(range.first + at);
                live += first_of(slot) != guard_of(slot);
            }
    }
    ALLOT_EXPECT(capacity == slabs_.slot_count() && capacity <= slot_count_max_,
                 "concurrent_pool: the count of slots is wrong");
    ALLOT_EXPECT(cut == cut_count_.load(), "concurrent_pool: the count of cut slots is wrong");
    ALLOT_EXPECT(upstream_.held_bytes() <= upstream_.limit_bytes(),
                 "concurrent_pool: more held than allowed");
    if constexpr (checks != check_level::off && !poisons) // else looking would change the marks
        ALLOT_EXPECT(live == usage().live_count, "concurrent_pool: the count of live slots is wrong");
}

} // namespace allot
