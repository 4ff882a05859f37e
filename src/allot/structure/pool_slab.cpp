#include <algorithm>
#include <allot/structure/pool.hpp>
#include <allot/structure/pool_slab.hpp>
#include <functional>
#include <utility>

// How a pool grows, looks slabs up, gives them back and checks itself.

namespace allot {
namespace {

using slab = detail::pool_slab;

constexpr std::size_t link_bytes = checks == check_level::off ? 0 : sizeof(std::uint32_t);
constexpr std::uint64_t slab_slot_bytes_max = gibibytes(4); // so that the division in deallocate() is exact

} // namespace

layout pool::slab_layout(std::uint64_t slot_count) const noexcept {
    const std::size_t slots = slot_count * (stride_ + link_bytes);
    return {align_up(slots, alignof(slab)) + sizeof(slab), std::max(slot_.align, alignof(slab))};
}

std::uint64_t pool::slots_in(std::uint64_t bytes) const noexcept {
    constexpr std::uint64_t rest = sizeof(slab) + alignof(slab) - 1;
    return bytes < rest ? 0 : (bytes - rest) / (stride_ + link_bytes);
}

void pool::hold(std::uint64_t bytes) noexcept {
    held_bytes_ += bytes;
    peak_held_bytes_ = std::max(peak_held_bytes_, held_bytes_);
}

// A slab of slot_count_wanted slots, or as many more as the sizes of slabs suggest, or fewer where the pool's
// limit or upstream have no room for so many.
slab* pool::grow(std::uint64_t slot_count_wanted) noexcept {
    const std::uint64_t fitting =
        std::max(slab_slot_count_ != 0 ? slab_slot_count_ : slots_in(next_slab_bytes_), slot_count_wanted);
    const std::uint64_t divisible = std::max<std::uint64_t>(slab_slot_bytes_max / stride_, 1);
    std::uint64_t count = std::min({fitting, divisible, slot_count_max_ - capacity_count_});
    if (count == 0 || !make_room_in_table()) {
        if (count == 0) note_limit();
        return nullptr;
    }
    const std::uint64_t room = limit_bytes_ - held_bytes_;
    if (upstream_.good_size(slab_layout(count)) > room) {
        count = std::min(count, slots_in(room));
        while (count != 0 && upstream_.good_size(slab_layout(count)) > room)
            count -= std::max<std::uint64_t>(count / 8, 1);
        if (count == 0) {
            note_limit();
            return nullptr;
        }
    }
    void* block = upstream_.try_allocate(slab_layout(count));
    while (!block && count > 1) { // near a limit of upstream's, a smaller one may be had
        next_slab_bytes_ = slab_sizes_.bytes_min;
        count /= 2;
        block = upstream_.try_allocate(slab_layout(count));
    }
    if (!block) return nullptr;
    next_slab_bytes_ = std::clamp(next_slab_bytes_ * 2, slab_sizes_.bytes_min, slab_sizes_.bytes_max);
    return enter(block, count);
}

slab* pool::enter(void* block, std::uint64_t count) noexcept {
    const layout all = slab_layout(count);
    auto* const base = static_cast<std::byte*>(block);
    slab* const made =
        ::new (base + all.size - sizeof(slab)) slab{.base = base,
                                                    .links = reinterpret_cast<index*>(base + count * stride_),
                                                    .next_waiting = nullptr,
                                                    .next_uncut = uncut_,
                                                    .count = count,
                                                    .cut = 0,
                                                    .head = no_slot,
                                                    .free_count = 0,
                                                    .is_waiting = false};
    uncut_ = made;
    // Poisoned, not filled: no slot is touched before it is handed out.
    if constexpr (poisons) detail::mark_dead(base, count * stride_, false);
    slab** const end = slabs_ + slab_count_;
    slab** const place =
        std::upper_bound(slabs_, end, made, [](slab* a, slab* b) { return std::less<>()(a->base, b->base); });
    std::copy_backward(place, end, end + 1);
    *place = made;
    ++slab_count_;
    capacity_count_ += count;
    hold(upstream_.good_size(all));
    return made;
}

bool pool::make_room_in_table() noexcept {
    if (slab_count_ < slab_capacity_) return true;
    const layout wanted{2 * slab_capacity_ * sizeof(slab*), alignof(slab*)};
    const std::uint64_t charge = upstream_.good_size(wanted);
    if (charge > limit_bytes_ - held_bytes_) {
        note_limit();
        return false;
    }
    auto* const table = static_cast<slab**>(upstream_.try_allocate(wanted));
    if (!table) return false;
    std::copy(slabs_, slabs_ + slab_count_, table);
    give_up_table();
    slabs_ = table;
    slab_capacity_ = wanted.size / sizeof(slab*);
    hold(charge);
    return true;
}

void pool::give_up_table() noexcept {
    if (slabs_ == inline_slabs_) return;
    const layout given{slab_capacity_ * sizeof(slab*), alignof(slab*)};
    held_bytes_ -= upstream_.good_size(given);
    upstream_.deallocate(slabs_, given);
    slabs_ = inline_slabs_;
    slab_capacity_ = inline_slab_count;
}

void pool::give_up(slab* gone) noexcept {
    const layout all = slab_layout(gone->count);
    capacity_count_ -= gone->count;
    cut_count_ -= gone->cut;
    held_bytes_ -= upstream_.good_size(all);
    std::byte* const base = gone->base;
    if constexpr (poisons) detail::mark_fresh(base, all.size, false);
    upstream_.deallocate(base, all);
}

slab* pool::find(const void* address) const noexcept {
    slab* const* const after =
        std::upper_bound(slabs_, slabs_ + slab_count_, address,
                         [](const void* place, slab* each) { return std::less<>()(place, each->base); });
    if (after == slabs_ || !after[-1]->contains(address, stride_, after[-1]->count)) return nullptr;
    return after[-1];
}

bool pool::owns(const void* address) const noexcept {
    const slab* const home = find(address);
    return home && home->contains(address, stride_, home->cut);
}

bool pool::try_reserve(std::uint64_t slot_count) noexcept {
    bool enough = slot_count <= slot_count_max_ - live_count();
    if (!enough) note_limit();
    while (enough && capacity_count_ - live_count() < slot_count)
        enough = grow(slot_count - (capacity_count_ - live_count())) != nullptr;
    if (!enough) ++refused_count_;
    publish();
    return enough;
}

std::uint64_t pool::trim() noexcept {
    const std::uint64_t before = held_bytes_;
    peak_cut_count_ = peak_count();
    count_free_slots_by_slab();
    if constexpr (checks == check_level::off)
        drop_free_slots_of_empty_slabs();
    else
        make_current(nullptr); // waiting_ is made anew below
    waiting_ = nullptr;
    uncut_ = nullptr;
    slab** kept = slabs_;
    for (slab** each = slabs_; each != slabs_ + slab_count_; ++each) {
        slab* const now = *each;
        if (now->is_empty()) {
            give_up(now);
            continue;
        }
        *kept++ = now;
        now->is_waiting = checks != check_level::off && now->free_count != 0;
        if (now->is_waiting) now->next_waiting = std::exchange(waiting_, now);
        if (now->cut != now->count) now->next_uncut = std::exchange(uncut_, now);
    }
    slab_count_ = static_cast<std::size_t>(kept - slabs_);
    if (slab_count_ == 0) {
        give_up_table();
        next_slab_bytes_ = slab_sizes_.bytes_min;
    }
    publish();
    return before - held_bytes_;
}

void pool::release() noexcept {
    freed_count_ = total_count_;
    free_ = nullptr;
    peak_cut_count_ = peak_count();
    waiting_ = nullptr;
    uncut_ = nullptr;
    make_current(nullptr);
    while (slab_count_ != 0) give_up(slabs_[--slab_count_]);
    give_up_table();
    next_slab_bytes_ = slab_sizes_.bytes_min;
    publish();
}

void pool::count_free_slots_by_slab() noexcept {
    if (current_) current_->head = head_;
    for (std::size_t i = 0; i != slab_count_; ++i) {
        slab& each = *slabs_[i];
        each.free_count = 0;
        if constexpr (checks != check_level::off) {
            const auto live = std::count(each.links, each.links + each.cut, live_slot);
            each.free_count = each.cut - static_cast<index>(live);
        }
    }
    for (detail::free_slot* slot = free_; slot; slot = slot->next) {
        allot::mark_live(slot, sizeof *slot);
        ++find(slot)->free_count;
    }
}

void pool::drop_free_slots_of_empty_slabs() noexcept {
    detail::free_slot* slot = free_;
    detail::free_slot** last = &free_;
    while (slot) { // count_free_slots_by_slab() made the links accessible
        detail::free_slot* const next = slot->next;
        if (!find(slot)->is_empty()) {
            *last = slot;
            last = &slot->next;
        }
        slot = next;
    }
    *last = nullptr;
}

void pool::check() const noexcept {
    std::uint64_t capacity = 0, cut = 0, held = 0;
    for (std::size_t i = 0; i != slab_count_; ++i) {
        const slab& each = *slabs_[i];
        ALLOT_EXPECT(i == 0 || slabs_[i - 1]->base < each.base, "pool: slabs are not in order");
        ALLOT_EXPECT(each.cut <= each.count, "pool: more slots cut than there are");
        ALLOT_EXPECT(is_aligned(each.base, slot_.align), "pool: a slab is not aligned");
        capacity += each.count;
        cut += each.cut;
        held += upstream_.good_size(slab_layout(each.count));
    }
    if (slabs_ != inline_slabs_)
        held += upstream_.good_size({slab_capacity_ * sizeof(slab*), alignof(slab*)});
    ALLOT_EXPECT(capacity == capacity_count_ && cut == cut_count_, "pool: the count of slots is wrong");
    ALLOT_EXPECT(held == held_bytes_ && held <= limit_bytes_, "pool: the count of held bytes is wrong");
    ALLOT_EXPECT(capacity <= slot_count_max_, "pool: more slots than allowed");
    ALLOT_EXPECT(live_count() <= cut && total_count_ >= peak_count(), "pool: the counts do not fit");
    ALLOT_EXPECT(!current_ || cut_ == current_->cut, "pool: the current slab's copy is wrong");
    check_free_slots();
}

// Free lists lead through distinct slots that were cut, and to all that do not live.
void pool::check_free_slots() const noexcept {
    std::uint64_t count = 0;
    if constexpr (checks == check_level::off) {
        for (detail::free_slot* slot = free_; slot; slot = slot->next, ++count) {
            allot::mark_live(slot, sizeof *slot);
            ALLOT_EXPECT(owns(slot) && count < cut_count_, "pool: the list of free slots is damaged");
        }
    } else {
        for (std::size_t i = 0; i != slab_count_; ++i) {
            const slab& each = *slabs_[i];
            const index head = &each == current_ ? head_ : each.head;
            std::uint64_t here = 0;
            for (index at = head; at != no_slot; at = each.links[at], ++here)
                ALLOT_EXPECT(at < each.cut && here < each.cut, "pool: a list of free slots is damaged");
            const auto live = std::count(each.links, each.links + each.cut, live_slot);
            ALLOT_EXPECT(here + static_cast<std::uint64_t>(live) == each.cut, "pool: a free slot is lost");
            ALLOT_EXPECT(head == no_slot || &each == current_ || each.is_waiting, "pool: a slab is lost");
            count += here;
        }
    }
    ALLOT_EXPECT(count + live_count() == cut_count_, "pool: the count of live slots is wrong");
}

} // namespace allot
