// Danger: many threads. What they share is the table (its ordering: interner_table.hpp) and the cells: a cell
// has one writer, the thread that holds its slot (thread_slots.hpp), is published with release, and lives as
// long as the interner. Insertions hold mutex_, a fork_mutex, so a forked child finds the table whole.
#include <allot/core/contract.hpp>
#include <allot/core/out_of_memory.hpp>
#include <allot/source/default_source.hpp>
#include <allot/structure/concurrent_interner.hpp>
#include <allot/structure/interner_file.hpp>
#include <memory>
#include <new>

namespace allot {

using guard = detail::fork_mutex::guard;

concurrent_interner::concurrent_interner(const interner_options& options) noexcept
    : interner_reading({.name = options.name,
                        .kind = "concurrent_interner",
                        .upstream = options.upstream,
                        .limit_bytes = options.limit_bytes}) {
    ALLOT_EXPECT(table_.options().upstream->traits().thread_safe, "concurrent_interner '",
                 options.name.view(), "': its upstream is not thread_safe");
}

concurrent_interner::~concurrent_interner() {
    for (const std::atomic<cell*>& place : cells_)
        if (cell* const each = place.load(std::memory_order_relaxed)) {
            std::destroy_at(each);
            table_.give(each, layout_of<cell>());
        }
}

symbol concurrent_interner::try_intern(std::string_view text) noexcept {
    return intern_hashed(text, table_.hash(text), own_cell());
}

symbol concurrent_interner::intern_hashed(std::string_view text, std::uint32_t hash, cell* own) noexcept {
    const std::uint32_t found = table_.find_fast(text, hash);
    if (found == 0) [[unlikely]]
        return miss(text, hash, counted::yes);
    if (!own) [[unlikely]] {
        count_slowly(1, text.size());
    } else {
        add(own->hits, 1);
        add(own->asked_bytes, text.size());
    }
    return symbol::from_value(found);
}

// Looks again under the lock: another thread may have been first (B34).
symbol concurrent_interner::miss(std::string_view text, std::uint32_t hash, counted how) noexcept {
    (void)detail::take_thread_slot();
    const guard hold(mutex_);
    detail::interner_table::certainty sure{};
    std::uint32_t value = table_.find_slowly(text, hash, sure);
    const bool is_hit = value != 0;
    if (!is_hit) value = table_.insert(text, hash);
    if (value == 0 || how == counted::no) return symbol::from_value(value);
    cell& own = cell_locked();
    add(is_hit ? own.hits : own.misses, 1);
    add(own.asked_bytes, text.size());
    return symbol::from_value(value);
}

// Without a slot, or memory for a cell, nobody's: written under the lock alone.
concurrent_interner::cell& concurrent_interner::cell_locked() noexcept {
    const std::uint32_t slot = detail::thread_slot();
    if (slot == 0) return nobodys_;
    if (cell* const own = cells_[slot].load(std::memory_order_relaxed)) return *own;
    void* const taken = table_.take(layout_of<cell>());
    if (!taken) return nobodys_;
    cell* const made = new (taken) cell;
    cells_[slot].store(made, std::memory_order_release);
    return *made;
}

void concurrent_interner::count_slowly(std::uint64_t hits, std::uint64_t bytes) noexcept {
    (void)detail::take_thread_slot();
    const guard hold(mutex_);
    cell& own = cell_locked();
    add(own.hits, hits);
    add(own.asked_bytes, bytes);
}

symbol concurrent_interner::intern(std::string_view text) {
    const symbol made = try_intern(text);
    if (!made) [[unlikely]]
        throw_out_of_memory();
    return made;
}

std::size_t concurrent_interner::intern_many(std::span<const std::string_view> texts,
                                             std::span<symbol> symbols) noexcept {
    const many all = intern_groups(texts, symbols, [this](std::string_view text, std::uint32_t hash) {
        return intern_hashed(text, hash, own_cell());
    });
    if (cell* const own = own_cell()) {
        add(own->hits, all.known_count);
        add(own->asked_bytes, all.known_bytes);
    } else if (all.known_count != 0) {
        count_slowly(all.known_count, all.known_bytes);
    }
    return all.done;
}

bool concurrent_interner::try_preload(std::span<const std::string_view> texts) noexcept {
    for (const std::string_view text : texts)
        if (const std::uint32_t hash = table_.hash(text);
            !table_.find_fast(text, hash) && !miss(text, hash, counted::no))
            return false;
    return true;
}

void concurrent_interner::preload(std::span<const std::string_view> texts) {
    if (!try_preload(texts)) throw_out_of_memory();
}

symbol concurrent_interner::find(std::string_view text) const noexcept {
    const std::uint32_t hash = table_.hash(text);
    std::uint32_t found = table_.find_fast(text, hash);
    if (found != 0) return symbol::from_value(found);
    detail::interner_table::certainty sure{};
    found = table_.find_slowly(text, hash, sure);
    if (sure == detail::interner_table::certainty::unsure) {
        const guard hold(mutex_); // nobody splits now
        found = table_.find_slowly(text, hash, sure);
    }
    return symbol::from_value(found);
}

void concurrent_interner::clear() noexcept {
    const guard hold(mutex_);
    table_.clear();
    for_each_cell([](cell& each) {
        for (std::atomic<std::uint64_t>* number : {&each.hits, &each.misses, &each.asked_bytes})
            number->store(0, std::memory_order_relaxed);
    });
}

result<void> concurrent_interner::load(byte_store& from) noexcept {
    const guard hold(mutex_);
    return detail::load_texts(table_, from);
}

interner_numbers concurrent_interner::numbers() const noexcept {
    interner_numbers sum{
        .distinct = table_.count(), .text_bytes = table_.text_bytes(), .held_bytes = table_.held_bytes()};
    const_cast<concurrent_interner*>(this)->for_each_cell([&](cell& each) {
        sum.hits += each.hits.load(std::memory_order_relaxed);
        sum.misses += each.misses.load(std::memory_order_relaxed);
        sum.asked_bytes += each.asked_bytes.load(std::memory_order_relaxed);
    });
    return sum;
}

} // namespace allot
