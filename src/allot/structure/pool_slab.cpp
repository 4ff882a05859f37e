#include <algorithm>
#include <allot/structure/pool.hpp>
#include <allot/structure/pool_slab.hpp>
#include <bit>
#include <memory>
#include <span>
#include <utility>

// How a pool grows, looks slabs up, gives them back and checks itself.

namespace allot {
namespace {

using slab = detail::pool_slab;
using key = detail::pool_slab_key;

constexpr std::size_t link_bytes = checks == check_level::off ? 0 : sizeof(std::uint32_t);
constexpr std::uint64_t slab_slot_bytes_max = gibibytes(4); // so that the division in deallocate() is exact

} // namespace

// Records, keys, and at level on the map.
layout pool::table_layout(std::size_t slab_capacity, std::size_t map_places) const noexcept {
    const std::size_t map_bytes = checks == check_level::off ? 0 : map_places * sizeof(slab*);
    return {slab_capacity * (sizeof(slab) + sizeof(key) + map_bytes), alignof(slab)};
}

// Where less than a slot is missing, the slab is rounded up to a power of two: a chunk that chunk_cache_source keeps,
// and from 2 MiB on whole huge pages.
layout pool::slab_layout(std::uint64_t slot_count) const noexcept {
    const std::size_t slots = slot_count * (stride_ + link_bytes);
    const std::size_t rounded = std::bit_ceil(slots);
    if (rounded < kibibytes(4) || rounded - slots >= stride_ + link_bytes) return {slots, slot_.align};
    const std::size_t align = std::max(slot_.align, alignof(std::max_align_t));
    return {rounded, rounded >= mebibytes(2) ? std::max(align, mebibytes(2)) : align};
}

std::uint64_t pool::slots_in(std::uint64_t bytes) const noexcept { return bytes / (stride_ + link_bytes); }

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
    slab* const made = spare_ ? std::exchange(spare_, spare_->next_uncut) : records_ + record_count_++;
    auto* const base = static_cast<std::byte*>(block);
    *made = {.base = base,
             .links = reinterpret_cast<index*>(base + count * stride_),
             .next_waiting = &detail::no_pool_slab,
             .next_uncut = uncut_,
             .count = static_cast<index>(count),
             .head = no_slot};
    uncut_ = made;
    // Poisoned, not filled: no slot is touched before it is handed out.
    if constexpr (poisons) detail::mark_dead(base, count * stride_, false);
    const key now{reinterpret_cast<std::uintptr_t>(block), made};
    key* const end = keys_ + slab_count_;
    key* const place =
        std::upper_bound(keys_, end, now, [](const key& a, const key& b) { return a.first < b.first; });
    std::copy_backward(place, end, end + 1);
    *place = now;
    ++slab_count_;
    if (checks != check_level::off && !map(made)) map_all_slabs();
    capacity_count_ += count;
    hold(upstream_.good_size(slab_layout(count)));
    return made;
}

bool pool::make_room_in_table() noexcept {
    if (slab_count_ < slab_capacity_) return true;
    const std::size_t places =
        std::clamp(std::bit_floor(next_slab_bytes_ / kibibytes(1)), map_places_min, map_places_max);
    const layout wanted = table_layout(2 * slab_capacity_, places);
    const std::uint64_t charge = upstream_.good_size(wanted);
    if (charge > limit_bytes_ - held_bytes_) {
        note_limit();
        return false;
    }
    void* const block = upstream_.try_allocate(wanted);
    if (!block) return false;
    hold(charge);
    move_table(block, 2 * slab_capacity_, places);
    return true;
}

// Every record gets a new address.
void pool::move_table(void* block, std::size_t slab_capacity, std::size_t map_places) noexcept {
    auto* const records = static_cast<slab*>(block);
    key* const keys = reinterpret_cast<key*>(records + slab_capacity);
    const auto moved = [&](slab* old) {
        return old && old != &detail::no_pool_slab ? records + (old - records_) : old;
    };
    std::uninitialized_value_construct_n(records, slab_capacity);
    std::uninitialized_value_construct_n(keys, slab_capacity);
    for (std::size_t i = 0; i != record_count_; ++i) {
        records[i] = records_[i];
        records[i].next_waiting = moved(records_[i].next_waiting);
        records[i].next_uncut = moved(records_[i].next_uncut);
    }
    for (std::size_t i = 0; i != slab_count_; ++i) keys[i] = {keys_[i].first, moved(keys_[i].slab)};
    newest_slab_ = moved(newest_slab_);
    waiting_ = moved(waiting_);
    uncut_ = moved(uncut_);
    spare_ = moved(spare_);
    give_up_table();
    records_ = records;
    keys_ = keys;
    slab_capacity_ = slab_capacity;
    map_places_ = map_places;
    if constexpr (checks != check_level::off) {
        map_ = reinterpret_cast<slab**>(keys + slab_capacity);
        map_mask_ = slab_capacity * map_places - 1;
        map_all_slabs();
    }
}

std::size_t pool::granule_count(const slab& of) const noexcept {
    const auto first = reinterpret_cast<std::uintptr_t>(of.base);
    return ((first + of.count * stride_ - 1) >> map_shift_) - (first >> map_shift_) + 1;
}

// With the smallest granules that leave most of the places empty, so that few share one: two for a slab at least.
void pool::map_all_slabs() noexcept {
    std::fill_n(map_, map_mask_ + 1, &detail::no_pool_slab);
    for (map_shift_ = 0;; ++map_shift_) {
        map_granule_count_ = 0;
        for (const key& each : std::span(keys_, slab_count_)) map_granule_count_ += granule_count(*each.slab);
        if (map_granule_count_ <= (map_mask_ + 1) / 8) break;
    }
    map_granule_count_ = 0;
    for (const key& each : std::span(keys_, slab_count_)) map(each.slab);
}

// False: the map is too small for granules of this size.
bool pool::map(slab* added) noexcept {
    const auto first = reinterpret_cast<std::uintptr_t>(added->base);
    const std::uintptr_t end = first + added->count * stride_;
    map_granule_count_ += granule_count(*added);
    if (map_granule_count_ > (map_mask_ + 1) / 8) return false;
    const std::uintptr_t half = (std::uintptr_t{1} << map_shift_) / 2;
    for (std::uintptr_t granule = first >> map_shift_; granule << map_shift_ < end; ++granule) {
        const std::uintptr_t middle = (granule << map_shift_) + half;
        slab*& place = map_[granule & map_mask_];
        if (place == &detail::no_pool_slab || (first <= middle && middle < end)) place = added;
    }
    return true;
}

void pool::give_up_table() noexcept {
    if (records_ == inline_records_) return;
    const layout given = table_layout(slab_capacity_, map_places_);
    held_bytes_ -= upstream_.good_size(given);
    upstream_.deallocate(records_, given);
    records_ = inline_records_;
    keys_ = inline_keys_;
    slab_capacity_ = inline_slab_count;
    map_ = inline_map_;
    map_mask_ = inline_map_size - 1;
    map_places_ = map_places_min;
}

void pool::give_up_all() noexcept {
    give_up_table();
    spare_ = nullptr;
    record_count_ = 0;
    next_slab_bytes_ = slab_sizes_.bytes_min;
    map_all_slabs();
}

void pool::give_up(slab* gone) noexcept {
    const layout all = slab_layout(gone->count);
    capacity_count_ -= gone->count;
    cut_count_ -= gone->cut;
    held_bytes_ -= upstream_.good_size(all);
    if constexpr (poisons) detail::mark_fresh(gone->base, all.size, false);
    upstream_.deallocate(gone->base, all);
    gone->next_uncut = std::exchange(spare_, gone);
}

// Without a branch on the address: where slots go back in no order, a wrong guess at each step would cost more than
// the search, and keep the processor from looking ahead to the next slot.
slab* pool::find(const void* address) const noexcept {
    if (slab_count_ == 0) return nullptr;
    const auto place = reinterpret_cast<std::uintptr_t>(address);
    const key* at = keys_;
    for (std::size_t rest = slab_count_; rest > 1;) {
        const std::size_t half = rest / 2;
        at += half & (0 - static_cast<std::size_t>(at[half].first <= place));
        rest -= half;
    }
    return at->slab->contains(address, stride_, at->slab->count) ? at->slab : nullptr;
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
    settle();
    count_free_slots_by_slab();
    if constexpr (checks == check_level::off) drop_free_slots_of_empty_slabs();
    waiting_ = &detail::no_pool_slab;
    uncut_ = nullptr;
    key* kept = keys_;
    for (const key& each : std::span(keys_, slab_count_)) {
        slab* const now = each.slab;
        if (now->is_empty()) {
            left_count_ += now->cut;
            give_up(now);
            continue;
        }
        *kept++ = each;
        now->is_waiting = checks != check_level::off && now->free_count != 0;
        if (now->is_waiting) now->next_waiting = std::exchange(waiting_, now);
        if (now->cut != now->count) now->next_uncut = std::exchange(uncut_, now);
    }
    slab_count_ = static_cast<std::size_t>(kept - keys_);
    if (slab_count_ == 0)
        give_up_all();
    else if (checks != check_level::off)
        map_all_slabs();
    publish();
    return before - held_bytes_;
}

void pool::release() noexcept {
    turned_count_ += live_count() + (newest_ ? 1 : 0);
    left_count_ = entered_count_;
    newest_ = nullptr;
    free_ = nullptr;
    peak_cut_count_ = peak_count();
    waiting_ = &detail::no_pool_slab;
    uncut_ = nullptr;
    while (slab_count_ != 0) give_up(keys_[--slab_count_].slab);
    give_up_all();
    publish();
}

void pool::count_free_slots_by_slab() noexcept {
    for (std::size_t i = 0; i != slab_count_; ++i) {
        slab& each = *keys_[i].slab;
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
        const slab& each = *keys_[i].slab;
        ALLOT_EXPECT(i == 0 || keys_[i - 1].first < keys_[i].first, "pool: slabs are not in order");
        ALLOT_EXPECT(each.cut <= each.count, "pool: more slots cut than there are");
        ALLOT_EXPECT(is_aligned(each.base, slot_.align), "pool: a slab is not aligned");
        capacity += each.count;
        cut += each.cut;
        held += upstream_.good_size(slab_layout(each.count));
    }
    if (records_ != inline_records_) held += upstream_.good_size(table_layout(slab_capacity_, map_places_));
    ALLOT_EXPECT(capacity == capacity_count_ && cut == cut_count_, "pool: the count of slots is wrong");
    ALLOT_EXPECT(held == held_bytes_ && held <= limit_bytes_, "pool: the count of held bytes is wrong");
    ALLOT_EXPECT(capacity <= slot_count_max_, "pool: more slots than allowed");
    ALLOT_EXPECT(left_count_ <= entered_count_ && listed_count() + (newest_ ? 1 : 0) <= cut &&
                     total_count() >= peak_count(),
                 "pool: the counts do not fit");
    ALLOT_EXPECT(!newest_ || owns(newest_), "pool: the newest free slot is none");
    check_free_slots();
}

// Free lists lead through distinct slots that were cut, and to all that do not live.
void pool::check_free_slots() const noexcept {
    std::uint64_t count = newest_ != nullptr;
    ALLOT_EXPECT(checks == check_level::off || !newest_ || *newest_link_ == live_slot,
                 "pool: the newest is listed");
    if constexpr (checks == check_level::off) {
        for (detail::free_slot* slot = free_; slot; slot = slot->next, ++count) {
            allot::mark_live(slot, sizeof *slot);
            ALLOT_EXPECT(owns(slot) && count < cut_count_, "pool: the list of free slots is damaged");
        }
    } else {
        for (std::size_t i = 0; i != slab_count_; ++i) {
            const slab& each = *keys_[i].slab;
            std::uint64_t here = 0;
            for (index at = each.head; at != no_slot; at = each.links[at], ++here)
                ALLOT_EXPECT(at < each.cut && here < each.cut, "pool: a list of free slots is damaged");
            const auto live =
                static_cast<std::uint64_t>(std::count(each.links, each.links + each.cut, live_slot));
            ALLOT_EXPECT(here + live == each.cut, "pool: a free slot is lost");
            ALLOT_EXPECT(each.head == no_slot || each.is_waiting, "pool: a slab is lost");
            count += here;
        }
    }
    ALLOT_EXPECT(count + live_count() == cut_count_, "pool: the count of live slots is wrong");
}

} // namespace allot
