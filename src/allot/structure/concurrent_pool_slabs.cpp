#include <algorithm>
#include <allot/platform/threads.hpp>
#include <allot/structure/concurrent_pool_slabs.hpp>
#include <memory>
#include <new>

namespace allot::detail {

void* concurrent_pool_upstream::do_try_allocate(layout wanted) noexcept {
    const std::uint64_t charge = upstream_.good_size(wanted);
    std::uint64_t held = held_bytes();
    do {
        if (charge > limit_bytes_ - held) {
            note_refusal({.who = who_,
                          .kind = "concurrent_pool",
                          .asked = wanted,
                          .limit_bytes = limit_bytes_,
                          .live_bytes = held});
            return nullptr;
        }
    } while (!held_bytes_.compare_exchange_weak(held, held + charge, std::memory_order_relaxed));
    void* const given = upstream_.try_allocate(wanted);
    if (!given) {
        held_bytes_.fetch_sub(charge, std::memory_order_relaxed);
        return nullptr;
    }
    std::uint64_t peak = peak_held_bytes();
    while (peak < held + charge &&
           !peak_held_bytes_.compare_exchange_weak(peak, held + charge, std::memory_order_relaxed)) {
    }
    return given;
}

void concurrent_pool_upstream::do_give_back(void* address, layout given) noexcept {
    upstream_.deallocate(address, given);
    held_bytes_.fetch_sub(upstream_.good_size(given), std::memory_order_relaxed); // not before it is gone
}

concurrent_pool_slabs::~concurrent_pool_slabs() {
    table* each = table_.load(std::memory_order_relaxed);
    while (each) {
        table* const older = each->older;
        upstream_.deallocate(each, table_layout(each->capacity));
        each = older;
    }
}

layout concurrent_pool_slabs::table_layout(std::size_t capacity) noexcept {
    return {sizeof(table) + capacity * (sizeof(key) + sizeof(record)), alignof(table)};
}

// The last whose first slot is not above the place; 0 where all are.
std::size_t concurrent_pool_slabs::position(const table& in, std::uintptr_t place) noexcept {
    std::size_t at = 0;
    for (std::size_t rest = in.size.load(std::memory_order_acquire); rest > 1;) {
        const std::size_t half = rest / 2;
        if (in.keys[at + half].first.load(std::memory_order_acquire) <= place) at += half;
        rest -= half;
    }
    return at;
}

// Ordering: a change is made between two additions to sequence_, with release stores. Who searches loads with
// acquire: one that read anything of a change has the odd number before it, or a later one, in its last look at
// sequence_, and searches again. A table that another replaced stays as it was: who still searches it began before the
// slab came that is not in it, so no slot of that is asked for.
slab_range concurrent_pool_slabs::find(const void* address) const noexcept {
    const auto place = reinterpret_cast<std::uintptr_t>(address);
    for (backoff pause;;) {
        const std::uint64_t before = sequence_.load(std::memory_order_acquire);
        const table* const now = table_.load(std::memory_order_acquire);
        if (!now || now->size.load(std::memory_order_acquire) == 0) return {};
        const key& found = now->keys[position(*now, place)];
        const slab_range range{found.first.load(std::memory_order_acquire),
                               found.bytes.load(std::memory_order_acquire)};
        if (before % 2 == 0 && sequence_.load(std::memory_order_relaxed) == before)
            return place - range.first < range.bytes ? range : slab_range{};
        if (!pause.again()) pause = {};
    }
}

void concurrent_pool_slabs::begin_change() noexcept {
    sequence_.store(sequence_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

void concurrent_pool_slabs::end_change() noexcept {
    sequence_.store(sequence_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
}

std::size_t concurrent_pool_slabs::size() const noexcept {
    const table* const now = table_.load(std::memory_order_relaxed);
    return now ? now->size.load(std::memory_order_relaxed) : 0;
}

slab_range concurrent_pool_slabs::range(std::size_t index) const noexcept {
    const key& each = table_.load(std::memory_order_relaxed)->keys[index];
    return {each.first.load(std::memory_order_relaxed), each.bytes.load(std::memory_order_relaxed)};
}

concurrent_pool_slabs::record& concurrent_pool_slabs::at(std::size_t index) noexcept {
    return table_.load(std::memory_order_relaxed)->records[index];
}

const concurrent_pool_slabs::record& concurrent_pool_slabs::at(std::size_t index) const noexcept {
    return table_.load(std::memory_order_relaxed)->records[index];
}

std::size_t concurrent_pool_slabs::index_of(const void* address) const noexcept {
    return position(*table_.load(std::memory_order_relaxed), reinterpret_cast<std::uintptr_t>(address));
}

std::size_t concurrent_pool_slabs::with_uncut() const noexcept {
    const std::size_t end = size();
    for (std::size_t i = 0; i != end; ++i)
        if (at(i).cut != at(i).count) return i;
    return end;
}

bool concurrent_pool_slabs::try_make_room() noexcept {
    table* const old = table_.load(std::memory_order_relaxed);
    if (old && old->size.load(std::memory_order_relaxed) != old->capacity) return true;
    const std::size_t capacity = old ? 2 * old->capacity : 8;
    void* const place = upstream_.try_allocate(table_layout(capacity));
    if (!place) return false;
    auto* const made = ::new (place) table;
    made->older = old;
    made->capacity = capacity;
    made->keys = reinterpret_cast<key*>(made + 1);
    made->records = reinterpret_cast<record*>(made->keys + capacity);
    std::uninitialized_value_construct_n(made->keys, capacity);
    std::uninitialized_value_construct_n(made->records, capacity);
    const std::size_t count = size();
    for (std::size_t i = 0; i != count; ++i) {
        made->keys[i].first.store(range(i).first, std::memory_order_relaxed);
        made->keys[i].bytes.store(range(i).bytes, std::memory_order_relaxed);
        made->records[i] = at(i);
    }
    made->size.store(count, std::memory_order_relaxed);
    table_.store(made, std::memory_order_release);
    return true;
}

void concurrent_pool_slabs::set_bytes(std::size_t index, std::uint64_t bytes) noexcept {
    table_.load(std::memory_order_relaxed)->keys[index].bytes.store(bytes, std::memory_order_release);
}

void concurrent_pool_slabs::insert(std::uintptr_t first, std::uint64_t slot_count) noexcept {
    table& now = *table_.load(std::memory_order_relaxed);
    const std::size_t count = size();
    std::size_t place = count;
    begin_change();
    for (; place != 0 && range(place - 1).first > first; --place) {
        now.keys[place].first.store(range(place - 1).first, std::memory_order_release);
        now.keys[place].bytes.store(range(place - 1).bytes, std::memory_order_release);
        now.records[place] = now.records[place - 1];
    }
    now.keys[place].first.store(first, std::memory_order_release);
    now.keys[place].bytes.store(0, std::memory_order_release);
    now.records[place] = {.count = slot_count};
    now.size.store(count + 1, std::memory_order_release);
    end_change();
    slot_count_.store(slot_count_.load(std::memory_order_relaxed) + slot_count, std::memory_order_relaxed);
}

void concurrent_pool_slabs::erase(std::size_t index) noexcept {
    table& now = *table_.load(std::memory_order_relaxed);
    const std::size_t count = size();
    slot_count_.store(slot_count_.load(std::memory_order_relaxed) - at(index).count,
                      std::memory_order_relaxed);
    version_.store(version() + 1, std::memory_order_relaxed);
    begin_change();
    for (std::size_t i = index; i + 1 != count; ++i) {
        now.keys[i].first.store(range(i + 1).first, std::memory_order_release);
        now.keys[i].bytes.store(range(i + 1).bytes, std::memory_order_release);
        now.records[i] = now.records[i + 1];
    }
    now.size.store(count - 1, std::memory_order_release);
    end_change();
}

} // namespace allot::detail
