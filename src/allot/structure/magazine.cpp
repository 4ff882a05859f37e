#include <algorithm>
#include <allot/core/contract.hpp>
#include <allot/structure/magazine.hpp>
#include <memory>
#include <new>
#include <utility>

// The supply of magazines. Let N be magazine_items, R the reserved items, C the cells. The depot holds full magazines,
// empty ones and rest_; beside rest_ no magazine of the depot is partly filled. A thread that puts the R-th item and
// finds its two magazines full meets at most (R - 1 - 2N) / N full ones in the depot; 2C lie in cells, one is rest_,
// and one may be in a detached list. So R / N + 3 magazines beside those that come with the cells are
// enough for an empty one to be left.

namespace allot::detail {

// Lies before its magazines; a cell, where it has one, between them.
struct alignas(64) magazine_block {
    magazine_block* next = nullptr;
    std::uint64_t count = 0;      // magazines
    std::uint64_t idle_count = 0; // of these empty and in the depot; as trim() counted last
    std::size_t head_bytes = 0;   // a cell's, or 0
};

namespace {

constexpr std::uint64_t spare_magazines = 3;
constexpr std::uint64_t block_magazines = 31;

void swap_loaded(magazine_cell& cell) noexcept { cell.loaded.store(cell.other(), std::memory_order_relaxed); }

} // namespace

void magazine_cache::stack::push(magazine* each) noexcept {
    each->next = std::exchange(first, each);
    ++count;
}

magazine* magazine_cache::stack::pop() noexcept {
    if (!first) return nullptr;
    --count;
    return std::exchange(first, first->next);
}

magazine_cache::magazine_cache(memory_source& upstream, magazine_options how) noexcept
    : nobody_{.loaded = &nothing_, .pair = {&nothing_, &nothing_}},
      upstream_(upstream),
      magazine_items_(std::clamp<std::uint32_t>(how.magazine_items, 1, magazine::items_max)),
      magazine_stride_(align_up(offsetof(magazine, home) + sizeof(void*) * (1 + std::size_t{magazine_items_}),
                                alignof(magazine))),
      kept_count_max_(how.kept_count_max),
      room_left_(how.kept_count_max) {
    for (std::atomic<magazine_cell*>& each : cells_) each.store(&nobody_, std::memory_order_relaxed);
}

magazine_cache::~magazine_cache() {
    while (blocks_) give_up(std::exchange(blocks_, blocks_->next));
}

layout magazine_cache::block_layout(std::uint64_t count, std::size_t head_bytes) const noexcept {
    return {sizeof(magazine_block) + head_bytes + count * magazine_stride_, alignof(magazine_block)};
}

// Not yet in blocks_.
magazine_block* magazine_cache::make_block(std::uint64_t count, std::size_t head_bytes) noexcept {
    const layout wanted = block_layout(count, head_bytes);
    void* const place = upstream_.try_allocate(wanted);
    if (!place) return nullptr;
    held_bytes_.fetch_add(upstream_.good_size(wanted), std::memory_order_relaxed);
    auto* const block = ::new (place) magazine_block{.count = count, .head_bytes = head_bytes};
    std::byte* at = static_cast<std::byte*>(place) + sizeof *block + head_bytes;
    for (std::uint64_t i = 0; i != count; ++i, at += magazine_stride_) {
        auto* const made = ::new (at) magazine;
        made->home = block;
        made->next = i + 1 == count ? nullptr : reinterpret_cast<magazine*>(at + magazine_stride_);
    }
    return block;
}

void magazine_cache::give_up(magazine_block* block) noexcept {
    const layout given = block_layout(block->count, block->head_bytes);
    held_bytes_.fetch_sub(upstream_.good_size(given), std::memory_order_relaxed);
    upstream_.deallocate(block, given);
}

bool magazine_cache::add_magazines(std::uint64_t count) noexcept {
    magazine_block* const made = make_block(count, 0);
    if (!made) return false;
    const fork_mutex::guard hold(mutex_);
    made->next = std::exchange(blocks_, made);
    magazine_count_ += count;
    auto* each = reinterpret_cast<magazine*>(made + 1);
    while (each) empty_.push(std::exchange(each, each->next));
    return true;
}

bool magazine_cache::try_reserve(std::uint64_t item_count) noexcept {
    const std::uint64_t needed = item_count / magazine_items_ + spare_magazines;
    std::uint64_t have = 0;
    {
        const fork_mutex::guard hold(mutex_);
        have = magazine_count_;
    }
    for (std::uint64_t added = 0; have < needed; have += added) { // in small blocks, for trim()
        added = std::min<std::uint64_t>(needed - have, block_magazines);
        if (!add_magazines(added)) return false;
    }
    return true;
}

inline magazine_cell* magazine_cache::own_cell() noexcept {
    magazine_cell* const own = cells_[thread_slot()].load(std::memory_order_relaxed);
    return own != &nobody_ ? own : make_cell();
}

magazine_cell* magazine_cache::make_cell() noexcept {
    const std::uint32_t slot = take_thread_slot();
    if (slot == 0) return nullptr;
    magazine_cell* const there = cells_[slot].load(std::memory_order_relaxed);
    if (there != &nobody_) return there;
    magazine_block* const block = make_block(2, sizeof(magazine_cell));
    if (!block) return nullptr;
    auto* const first =
        reinterpret_cast<magazine*>(reinterpret_cast<std::byte*>(block + 1) + sizeof(magazine_cell));
    auto* const cell =
        ::new (static_cast<void*>(block + 1)) magazine_cell{.loaded = first, .pair = {first, first->next}};
    const fork_mutex::guard hold(mutex_);
    block->next = std::exchange(blocks_, block);
    cell_count_.fetch_add(1, std::memory_order_relaxed);
    cells_[slot].store(cell, std::memory_order_release);
    return cell;
}

void* magazine_cache::take_slowly() noexcept {
    magazine_cell* const own = own_cell();
    if (!own) {
        const fork_mutex::guard hold(mutex_);
        return take_from_rest_locked();
    }
    if (own->other()->count() != 0)
        swap_loaded(*own);
    else {
        const fork_mutex::guard hold(mutex_);
        if (!refill_locked(*own)) return nullptr;
    }
    return try_take();
}

bool magazine_cache::put_slowly(void* item) noexcept {
    magazine_cell* const own = own_cell();
    for (;;) {
        if (own && own->other()->count() != own->other()->room) {
            swap_loaded(*own);
            return try_put(item);
        }
        std::uint64_t more = 0;
        {
            const fork_mutex::guard hold(mutex_);
            const bool done = own ? make_room_locked(*own) : put_into_rest_locked(item);
            if (!done && room_left_ == 0) return false;
            if (done && !own) return true;
            if (!done) more = std::clamp<std::uint64_t>(magazine_count_ / 2, 2, 64);
        }
        if (more == 0) return try_put(item);
        if (!add_magazines(more) && !add_magazines(1)) return false;
    }
}

// Both magazines of the cell are empty: one goes to the depot for one with items.
bool magazine_cache::refill_locked(magazine_cell& own) noexcept {
    const auto any = [&] { return full_.first || (rest_ && rest_->count() != 0); };
    if (!any()) empty_quiet_cells_locked();
    if (!any()) return false;
    magazine* full = pop_full_locked();
    if (!full) full = std::exchange(rest_, nullptr);
    fold_locked(full);
    exchange_locked(own, own.index_of_loaded(), full);
    return true;
}

// Both magazines of the cell have as many items as they have room. False: no room is left, or no empty magazine.
bool magazine_cache::make_room_locked(magazine_cell& own) noexcept {
    if (room_left_ == 0) empty_quiet_cells_locked();
    if (grant_locked(own.loaded.load(std::memory_order_relaxed))) return true;
    if (grant_locked(own.other())) {
        swap_loaded(own);
        return true;
    }
    if (room_left_ == 0 || !empty_.first) return false;
    magazine* const empty = empty_.pop();
    static_cast<void>(grant_locked(empty));
    const unsigned loaded = own.index_of_loaded();
    exchange_locked(own, own.pair[loaded] == &nothing_ ? loaded : 1 - loaded, empty);
    return true;
}

// Puts `next` into the cell and loads it; what it had there goes to the depot.
void magazine_cache::exchange_locked(magazine_cell& own, unsigned index, magazine* next) noexcept {
    magazine* const gone = std::exchange(own.pair[index], next);
    own.loaded.store(next, std::memory_order_relaxed);
    accept_locked(gone);
}

void* magazine_cache::take_from_rest_locked() noexcept {
    if (!full_.first && !(rest_ && rest_->count() != 0)) empty_quiet_cells_locked();
    if (!rest_ || rest_->count() == 0) {
        magazine* const full = pop_full_locked();
        if (!full) return nullptr;
        if (rest_) {
            fold_locked(rest_);
            empty_.push(rest_);
        }
        rest_ = full;
    }
    void* const item = rest_->items()[rest_->count() - 1];
    rest_->add(magazine::one_taken);
    --rest_->room;
    ++room_left_;
    return item;
}

bool magazine_cache::put_into_rest_locked(void* item) noexcept {
    if (room_left_ == 0) empty_quiet_cells_locked();
    if (room_left_ == 0) return false;
    if (rest_ && rest_->count() == magazine_items_) push_full_locked(std::exchange(rest_, nullptr));
    if (!rest_) rest_ = empty_.pop();
    if (!rest_) return false;
    rest_->items()[rest_->count()] = item;
    rest_->add(1);
    ++rest_->room;
    --room_left_;
    return true;
}

// A magazine for the depot. What lies there has as much room as items: the difference is for others.
void magazine_cache::accept_locked(magazine* each) noexcept {
    if (each == &nothing_) return;
    fold_locked(each);
    room_left_ += each->room - each->count();
    each->room = each->count();
    if (each->room == magazine_items_) return push_full_locked(each);
    if (!rest_) {
        rest_ = each;
        return;
    }
    while (each->room != 0 && rest_->room != magazine_items_) {
        rest_->items()[rest_->room++] = each->items()[--each->room];
        each->add(static_cast<std::uint64_t>(-1));
        rest_->add(1);
    }
    if (each->room == 0) return empty_.push(each);
    push_full_locked(std::exchange(rest_, each));
}

void magazine_cache::push_full_locked(magazine* full) noexcept {
    kept_in_full_ += full->room;
    full_.push(full);
}

magazine* magazine_cache::pop_full_locked() noexcept {
    magazine* const full = full_.pop();
    if (full) kept_in_full_ -= full->count();
    return full;
}

bool magazine_cache::grant_locked(magazine* to) noexcept {
    if (to == &nothing_) return false;
    const std::uint64_t given = std::min<std::uint64_t>(magazine_items_ - to->room, room_left_);
    to->room += static_cast<std::uint32_t>(given);
    room_left_ -= given;
    return given != 0;
}

void magazine_cache::fold_locked(magazine* from) noexcept {
    taken_ += from->taken();
    from->word.store(from->count(), std::memory_order_relaxed);
}

// All that the cell has, magazines included: its thread finds nothing_ there.
void magazine_cache::empty_cell_locked(magazine_cell& cell) noexcept {
    cell.loaded.store(&nothing_, std::memory_order_relaxed);
    for (magazine*& each : cell.pair) accept_locked(std::exchange(each, &nothing_));
}

// Those of ended threads.
void magazine_cache::empty_quiet_cells_locked() noexcept {
    for (std::uint32_t slot = 1; slot <= thread_slot_count; ++slot) {
        magazine_cell* const cell = cells_[slot].load(std::memory_order_relaxed);
        if (cell == &nobody_ || (cell->pair[0] == &nothing_ && cell->pair[1] == &nothing_)) continue;
        if (!try_borrow_thread_slot(slot)) continue;
        empty_cell_locked(*cell);
        return_thread_slot(slot);
    }
}

magazine* magazine_cache::detach(magazine_reach reach, std::uint64_t deadline_ns) noexcept {
    if (!mutex_.try_lock_until(deadline_ns)) return nullptr;
    empty_quiet_cells_locked();
    for (std::uint32_t slot = 1; slot <= thread_slot_count; ++slot) {
        magazine_cell* const cell = cells_[slot].load(std::memory_order_relaxed);
        if (cell != &nobody_ && (reach == magazine_reach::all || slot == thread_slot()))
            empty_cell_locked(*cell);
    }
    magazine* all = std::exchange(full_, {}).first;
    kept_in_full_ = 0;
    if (rest_) {
        rest_->next = all;
        all = std::exchange(rest_, nullptr);
    }
    mutex_.unlock();
    return all;
}

void magazine_cache::attach(magazine* all) noexcept {
    const fork_mutex::guard hold(mutex_);
    while (all) accept_locked(std::exchange(all, all->next));
}

void magazine_cache::trim(std::uint64_t reserved_count) noexcept {
    const std::uint64_t needed = reserved_count == 0 ? 0 : reserved_count / magazine_items_ + spare_magazines;
    magazine_block* gone = nullptr;
    {
        const fork_mutex::guard hold(mutex_);
        if (rest_ && rest_->count() == 0) {
            fold_locked(rest_);
            empty_.push(std::exchange(rest_, nullptr));
        }
        for (magazine_block* each = blocks_; each; each = each->next) each->idle_count = 0;
        for (magazine* each = empty_.first; each; each = each->next) ++each->home->idle_count;
        magazine* all = std::exchange(empty_, {}).first;
        magazine_block** last = &blocks_;
        while (magazine_block* const each = *last) {
            const bool idle = each->head_bytes == 0 && each->idle_count == each->count;
            if (idle && magazine_count_ - each->count >= needed) {
                magazine_count_ -= each->count;
                *last = each->next;
                each->next = std::exchange(gone, each);
                each->idle_count = 0; // its magazines go with it
            } else {
                last = &each->next;
            }
        }
        while (all) {
            magazine* const each = std::exchange(all, all->next);
            if (each->home->idle_count != 0) empty_.push(each);
        }
    }
    while (gone) give_up(std::exchange(gone, gone->next));
}

magazine_cache::numbers magazine_cache::read() const noexcept {
    const fork_mutex::guard hold(mutex_);
    numbers now{.kept = kept_in_full_ + (rest_ ? rest_->count() : 0),
                .taken = taken_ + (rest_ ? rest_->taken() : 0)};
    for (const std::atomic<magazine_cell*>& each : cells_)
        for (const magazine* const one : each.load(std::memory_order_acquire)->pair) {
            now.kept += one->count();
            now.taken += one->taken();
        }
    return now;
}

void magazine_cache::note(const std::uintptr_t (&words)[3]) noexcept {
    magazine_cell* const own = cells_[thread_slot()].load(std::memory_order_relaxed);
    if (own != &nobody_) std::copy(std::begin(words), std::end(words), own->note);
}

void magazine_cache::check() const noexcept {
    const fork_mutex::guard hold(mutex_);
    std::uint64_t room = room_left_;
    std::uint64_t kept = 0;
    std::uint64_t count = rest_ ? 1 : 0;
    for (const magazine* each = full_.first; each; each = each->next, ++count) {
        ALLOT_EXPECT(each->room == each->count() && each->room != 0, "magazine: a full one is wrong");
        kept += each->room;
        room += each->room;
    }
    for (const magazine* each = empty_.first; each; each = each->next, ++count)
        ALLOT_EXPECT(each->room == 0 && each->count() == 0, "magazine: an empty one is not");
    for (const std::atomic<magazine_cell*>& cell : cells_)
        for (const magazine* const each : cell.load(std::memory_order_acquire)->pair) {
            if (each == &nothing_) continue;
            ++count;
            ALLOT_EXPECT(each->count() <= each->room && each->room <= magazine_items_,
                         "magazine: too many items");
            room += each->room;
        }
    if (rest_) {
        ALLOT_EXPECT(rest_->room == rest_->count(), "magazine: the rest is wrong");
        room += rest_->room;
    }
    ALLOT_EXPECT(kept == kept_in_full_ && room == kept_count_max_, "magazine: the counts do not fit");
    ALLOT_EXPECT(count == magazine_count_ + 2 * cell_count(), "magazine: one is lost");
}

} // namespace allot::detail
