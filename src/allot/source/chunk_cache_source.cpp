#include <algorithm>
#include <allot/core/checks.hpp>
#include <allot/core/poison.hpp>
#include <allot/platform/clock.hpp>
#include <allot/source/chunk_cache_source.hpp>
#include <new>

// Danger: chunks in cells of many threads, without one lock for all. The argument:
// - A cell is touched under its slot's mutex alone: by its thread, which finds that mutex free but for an
//   instant, by usage(), and by reclaim(). No second mutex is taken meanwhile and upstream is not called, so
//   there is no order of locks to keep.
// - A chunk is in one place: a cell's list, or with the thread that popped it. The mutex orders the bytes of
//   its last user before those of its next.
// - A cell's share of the kept bytes is raised by a compare-exchange within kept_bytes_max_, under the mutex
//   that it is written under: kept <= share in each cell, the sum of the shares <= kept_bytes_max_.
// - The fork handler holds all slots' mutexes, so that the child finds every cell whole. Cells of threads that
//   it does not have go on with whoever takes their slots.
// - Lists are of addresses, not links in the chunks: whoever looks for leaks reads no dead bytes.

namespace allot {

struct alignas(64) chunk_cache_source::cell {
    std::size_t kept_bytes = 0;
    std::size_t share_bytes = 0;
    // Of this cell's thread; live and held wrap: what one thread takes another may give back.
    std::uint64_t live_bytes = 0, live_count = 0, total_bytes = 0, total_count = 0, held_bytes = 0,
                  held_count = 0;
    chunk_cache_counts counts = {};
    std::array<std::atomic<std::uint32_t>, kind_count> count = {}; // written under the mutex, a hint without
    void* chunks[kind_count][kept_of_kind_max];

    std::uint32_t count_of(unsigned kind) const noexcept {
        return count[kind].load(std::memory_order_relaxed);
    }
    void* pop(unsigned kind) noexcept {
        const std::uint32_t left = count_of(kind) - 1;
        count[kind].store(left, std::memory_order_relaxed);
        kept_bytes -= layout_of_kind(kind).size;
        return chunks[kind][left];
    }
    void push(unsigned kind, void* chunk) noexcept {
        const std::uint32_t position = count_of(kind);
        chunks[kind][position] = chunk;
        count[kind].store(position + 1, std::memory_order_relaxed);
        kept_bytes += layout_of_kind(kind).size;
    }
    void handed_out(std::size_t bytes) noexcept {
        live_bytes += bytes;
        live_count += 1;
        total_bytes += bytes;
        total_count += 1;
    }
    void given_back(std::size_t bytes) noexcept {
        live_bytes -= bytes;
        live_count -= 1;
    }
};

chunk_cache_source::chunk_cache_source(memory_source& upstream, const chunk_cache_options& how) noexcept
    : upstream_(upstream),
      thread_kept_bytes_max_(how.thread_kept_bytes_max),
      kept_bytes_max_(how.kept_bytes_max),
      name_(how.name) {
    static_assert(sizeof(cell) <= sizeof depot_);
    ALLOT_CHECK(upstream.traits().thread_safe, "chunk_cache_source '", name_.view(), "': its upstream '",
                upstream.describe().name.view(), "' is not thread-safe");
    cells_[0].store(::new (depot_) cell, std::memory_order_relaxed);
}

chunk_cache_source::~chunk_cache_source() {
    trim();
    for (std::uint32_t slot = 1; slot < cells_.size(); ++slot)
        if (cell* const gone = cells_[slot].load(std::memory_order_acquire))
            upstream_.deallocate(gone, layout_of<cell>());
}

// The depot, where this thread has no slot or no memory for a cell.
chunk_cache_source::cell& chunk_cache_source::own_cell(std::uint32_t& slot) noexcept {
    slot = detail::thread_slot();
    if (slot == 0) slot = detail::take_thread_slot();
    cell* own = cells_[slot].load(std::memory_order_acquire);
    if (!own) [[unlikely]]
        own = make_cell(slot);
    if (own) return *own;
    slot = 0;
    return *cells_[0].load(std::memory_order_relaxed);
}

chunk_cache_source::cell* chunk_cache_source::make_cell(std::uint32_t slot) noexcept {
    void* const memory = upstream_.try_allocate(layout_of<cell>());
    if (!memory) return nullptr;
    cell* const made = ::new (memory) cell;
    cells_[slot].store(made, std::memory_order_release); // nobody else has this slot
    return made;
}

void* chunk_cache_source::do_try_allocate(layout wanted) noexcept {
    const unsigned kind = kind_of(wanted);
    if (kind == not_kept) return take_upstream(wanted);
    std::uint32_t slot = 0;
    cell& own = own_cell(slot);
    cell& depot = *cells_[0].load(std::memory_order_relaxed);
    void* chunk = own.count_of(kind) != 0 ? try_take(slot, own, kind) : nullptr;
    if (!chunk && depot.count_of(kind) != 0) chunk = try_take(0, depot, kind);
    if (chunk) {
        mark_fresh(chunk, wanted.size);
        return chunk;
    }
    chunk = take_upstream(wanted);
    if (!chunk) return nullptr;
    const light_mutex::guard hold(detail::slot_mutex(slot));
    own.handed_out(wanted.size);
    own.held_bytes += wanted.size;
    own.held_count += 1;
    own.counts.misses += 1;
    return chunk;
}

void* chunk_cache_source::try_take(std::uint32_t slot, cell& from, unsigned kind) noexcept {
    const light_mutex::guard hold(detail::slot_mutex(slot));
    if (from.count_of(kind) == 0) return nullptr;
    from.handed_out(layout_of_kind(kind).size);
    from.counts.hits += 1;
    return from.pop(kind);
}

void* chunk_cache_source::take_upstream(layout wanted) noexcept {
    void* block = upstream_.try_allocate(wanted);
    if (!block) [[unlikely]] {
        if (trim() != 0) block = upstream_.try_allocate(wanted);
        if (!block) refused_count_.add(1);
    }
    return block;
}

void chunk_cache_source::do_give_back(void* address, layout given) noexcept {
    const unsigned kind = kind_of(given);
    if (kind == not_kept) return upstream_.deallocate(address, given);
    mark_dead(address, given.size);
    std::uint32_t slot = 0;
    cell& own = own_cell(slot);
    if (try_keep(slot, own, kind, address, slot == 0)) return;
    if (slot != 0 && try_keep(0, *cells_[0].load(std::memory_order_relaxed), kind, address, true)) return;
    give_upstream(address, kind);
}

// On the last try the books lose the chunk when it is not kept.
bool chunk_cache_source::try_keep(std::uint32_t slot, cell& in, unsigned kind, void* chunk,
                                  bool last_try) noexcept {
    const std::size_t bytes = layout_of_kind(kind).size;
    const light_mutex::guard hold(detail::slot_mutex(slot));
    const bool room = in.count_of(kind) < kept_of_kind_max && try_widen(in, slot, bytes);
    if (room) {
        in.push(kind, chunk);
    } else if (last_try) {
        in.held_bytes -= bytes;
        in.held_count -= 1;
        in.counts.spilled += 1;
    }
    if (room || last_try) in.given_back(bytes);
    return room;
}

// Whether the cell's share has, or gets, room for so much more. The caller holds its mutex.
bool chunk_cache_source::try_widen(cell& it, std::uint32_t slot, std::size_t bytes) noexcept {
    const std::size_t most =
        (slot == 0 ? kept_bytes_max_ : thread_kept_bytes_max_).load(std::memory_order_relaxed);
    const std::size_t wanted = it.kept_bytes + bytes;
    if (wanted > most) return false;
    if (wanted <= it.share_bytes) return true;
    if (!try_reserve(wanted - it.share_bytes)) return false;
    it.share_bytes = wanted;
    return true;
}

bool chunk_cache_source::try_reserve(std::size_t bytes) noexcept {
    const std::size_t most = kept_bytes_max_.load(std::memory_order_relaxed);
    std::size_t reserved = reserved_bytes_.load(std::memory_order_relaxed);
    do {
        if (reserved > most || bytes > most - reserved) return false;
    } while (!reserved_bytes_.compare_exchange_weak(reserved, reserved + bytes, std::memory_order_relaxed));
    return true;
}

void chunk_cache_source::give_upstream(void* chunk, unsigned kind) noexcept {
    const layout given = layout_of_kind(kind);
    mark_live(chunk, given.size);
    upstream_.deallocate(chunk, given);
}

bool chunk_cache_source::do_try_resize(void* address, layout given, std::size_t new_size) noexcept {
    if (!upstream_.try_resize(address, given, new_size)) return false;
    note_resized(given, new_size);
    return true;
}

void* chunk_cache_source::do_try_reallocate(void* address, layout given, std::size_t new_size) noexcept {
    void* const moved = upstream_.try_reallocate(address, given, new_size);
    if (moved) {
        note_resized(given, new_size);
    } else {
        refused_count_.add(1);
    }
    return moved;
}

// A block may become a chunk by that, or cease to be one.
void chunk_cache_source::note_resized(layout given, std::size_t new_size) noexcept {
    const layout now{new_size, given.align};
    if (!is_chunk(given) && !is_chunk(now)) return;
    std::uint32_t slot = 0;
    cell& own = own_cell(slot);
    const light_mutex::guard hold(detail::slot_mutex(slot));
    if (is_chunk(given)) {
        own.given_back(given.size);
        own.held_bytes -= given.size;
        own.held_count -= 1;
    }
    if (is_chunk(now)) {
        own.handed_out(now.size);
        own.held_bytes += now.size;
        own.held_count += 1;
    }
}

void chunk_cache_source::stop_keeping() noexcept {
    kept_bytes_max_.store(0, std::memory_order_relaxed);
    thread_kept_bytes_max_.store(0, std::memory_order_relaxed);
    trim();
}

std::uint64_t chunk_cache_source::reclaim(reclaim_request wish) noexcept {
    std::uint64_t freed = 0;
    for (std::uint32_t slot = 0; slot < cells_.size() && freed < wish.wanted_bytes; ++slot)
        if (cell* const each = cells_[slot].load(std::memory_order_acquire))
            freed += drain(slot, *each,
                           {.wanted_bytes = wish.wanted_bytes - freed, .deadline_ns = wish.deadline_ns});
    return freed;
}

// The largest chunks first; what the cell then has too much of its share goes back, too.
std::uint64_t chunk_cache_source::drain(std::uint32_t slot, cell& from, reclaim_request wish) noexcept {
    std::uint64_t freed = 0;
    for (unsigned kind = kind_count; kind-- != 0;) {
        const std::size_t bytes = layout_of_kind(kind).size;
        while (freed < wish.wanted_bytes && from.count_of(kind) != 0) {
            if (wish.deadline_ns != static_cast<std::uint64_t>(-1) && monotonic_ns() >= wish.deadline_ns)
                return freed;
            void* chunk = nullptr;
            {
                const light_mutex::guard hold(detail::slot_mutex(slot));
                if (from.count_of(kind) == 0) break;
                chunk = from.pop(kind);
                from.held_bytes -= bytes;
                from.held_count -= 1;
                from.counts.spilled += 1;
                reserved_bytes_.fetch_sub(from.share_bytes - from.kept_bytes, std::memory_order_relaxed);
                from.share_bytes = from.kept_bytes;
            }
            give_upstream(chunk, kind);
            freed += bytes;
        }
    }
    return freed;
}

template <class Visit>
void chunk_cache_source::for_each_cell(Visit visit) const noexcept {
    for (std::uint32_t slot = 0; slot < cells_.size(); ++slot)
        if (const cell* const each = cells_[slot].load(std::memory_order_acquire)) {
            const light_mutex::guard hold(detail::slot_mutex(slot));
            visit(*each);
        }
}

usage chunk_cache_source::usage() const noexcept {
    allot::usage now{.refused_count = refused_count_.load()};
    for_each_cell([&now](const cell& each) {
        now.live_bytes += each.live_bytes;
        now.live_count += each.live_count;
        now.total_bytes += each.total_bytes;
        now.total_count += each.total_count;
        now.held_bytes += each.held_bytes;
        now.held_count += each.held_count;
    });
    // Cells are read one after the other: a chunk may have gone from one to another meanwhile.
    constexpr auto not_negative = [](std::uint64_t sum) { return sum >> 63 ? 0 : sum; };
    now.held_bytes = not_negative(now.held_bytes);
    now.held_count = not_negative(now.held_count);
    now.live_bytes = std::min(not_negative(now.live_bytes), now.held_bytes);
    now.live_count = std::min(not_negative(now.live_count), now.held_count);
    now.free_bytes = now.held_bytes - now.live_bytes;
    return now;
}

chunk_cache_counts chunk_cache_source::counts() const noexcept {
    chunk_cache_counts sum;
    for_each_cell([&sum](const cell& each) {
        sum.hits += each.counts.hits;
        sum.misses += each.counts.misses;
        sum.spilled += each.counts.spilled;
    });
    return sum;
}

source_traits chunk_cache_source::do_traits() const noexcept {
    return {.thread_safe = true, .moves = upstream_.traits().moves};
}

source_description chunk_cache_source::do_describe() const noexcept {
    return {.name = name_, .kind = "chunk_cache_source", .upstream = &upstream_, .usage = usage()};
}

} // namespace allot
