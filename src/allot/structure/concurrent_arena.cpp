// Danger: the hot path takes no lock and does no atomic read-modify-write. Why that is right:
// - A cell is found by the thread's slot. At each moment one thread holds a slot, and a slot passes on under the
//   registry's mutex (thread_slots.hpp), so the next holder sees all that the last one wrote, and goes on in its
//   part.
// - Other threads read a cell's counters alone, as relaxed atomics, for usage(). A cell's address is stored with
//   release, and loaded by others with acquire.
// - Chunks, parts and large blocks are handed out under mutex_. reset() and release() write all cells: they are
//   quiescent by contract, and the caller's join or barrier orders them before and after the owners' calls.
// - A fork holds mutex_ (a fork_mutex), so chunks and cells are whole in the child. Another thread's cell may be
//   copied between its cursor and its counters: the cursor is moved first, so no byte is handed out twice.
#include <allot/source/default_source.hpp>
#include <allot/structure/concurrent_arena.hpp>
#include <memory>

namespace allot {

using guard = detail::fork_mutex::guard;

namespace {
constexpr std::size_t part_bytes_min = 1024;
constexpr std::size_t part_align = alignof(std::max_align_t);
// A part is so much less than a power of two that a chunk, whose own 112 bytes are off its size, is filled by
// two, four, eight … parts.
constexpr std::size_t part_margin = 64;
} // namespace

concurrent_arena::concurrent_arena(const concurrent_arena_options& options) noexcept
    : options_(options),
      shared_({.name = options.name,
               .upstream = options.upstream,
               .chunk_bytes_min = options.chunk_bytes_min,
               .chunk_bytes_max = options.chunk_bytes_max,
               .huge_pages = options.huge_pages,
               .limit_bytes = options.limit_bytes,
               .retain_bytes_max = options.retain_bytes_max}) {
    ALLOT_EXPECT(shared_.upstream().traits().thread_safe, "concurrent_arena '", options.name.view(),
                 "': its upstream is not thread_safe");
}

concurrent_arena::~concurrent_arena() {
    for (const std::atomic<cell*>& place : cells_)
        if (cell* const each = place.load(std::memory_order_relaxed)) {
            std::destroy_at(each);
            shared_.upstream().deallocate(each, layout_of<cell>());
        }
}

template <class Visit>
void concurrent_arena::for_each_cell(Visit visit) const noexcept {
    for (const std::atomic<cell*>& place : cells_)
        if (cell* const each = place.load(std::memory_order_acquire)) visit(*each);
    visit(nobodys_);
}

void* concurrent_arena::allocate_slow(std::size_t size, std::size_t align) noexcept {
    if (size == 0) return bump(1, align);
    const layout wanted{size, align};
    (void)detail::take_thread_slot();
    const guard hold(mutex_);
    cell* mine = own();
    if (!mine && detail::thread_slot() != 0) mine = try_make_cell();
    // Blocks of more than a quarter of a part would leave large rests.
    if (mine && is_valid(wanted) && wanted.size <= options_.part_bytes_max / 4 &&
        wanted.align <= part_align && try_take_part(*mine, wanted))
        return bump(wanted.size, wanted.align);
    return take_shared(mine ? *mine : nobodys_, wanted);
}

concurrent_arena::cell* concurrent_arena::try_make_cell() noexcept {
    void* const room = shared_.upstream().try_allocate(layout_of<cell>());
    if (!room) return nullptr; // then this block comes from the chunks
    auto* const made = ::new (room) cell;
    cells_[detail::thread_slot()].store(made, std::memory_order_release);
    return made;
}

// Near the limit a smaller part may do; where none does, take_shared asks for the block itself.
bool concurrent_arena::try_take_part(cell& of, layout wanted) noexcept {
    std::size_t bytes = of.part_bytes == 0 ? part_bytes_min : of.part_bytes * 2;
    while (bytes < wanted.size * 4) bytes *= 2;
    bytes = std::min(bytes, options_.part_bytes_max);
    void* part = nullptr;
    for (; bytes - part_margin >= wanted.size; bytes /= 2) {
        part = shared_.try_allocate({bytes - part_margin, part_align});
        if (part || bytes <= part_bytes_min) break;
    }
    if (!part) return false;
    of.part_bytes = bytes;
    bytes -= part_margin;
    allot::mark_dead(part, bytes);
    of.cursor = of.begin = static_cast<std::byte*>(part);
    of.end = of.begin + bytes;
    return true;
}

void* concurrent_arena::take_shared(cell& books, layout wanted) noexcept {
    void* const block = shared_.try_allocate(wanted);
    if (!block) {
        refused_count_.add(1);
        return nullptr;
    }
    books.total_bytes.add(wanted.size);
    books.total_count.add(1);
    return block;
}

// Of threads without a cell, and at level full, where the block is looked up first.
void concurrent_arena::give_back_slow(std::byte* block, std::size_t size) noexcept {
    const guard hold(mutex_);
    ALLOT_CHECK_FULL(shared_.owns(block), "concurrent_arena '", options_.name.view(),
                     "': ", static_cast<const void*>(block), " (", size,
                     " bytes) is not a live block of this arena");
    cell* const mine = own();
    cell& books = mine ? *mine : nobodys_;
    books.gone_bytes.add(size);
    books.gone_count.add(1);
    allot::mark_dead(block, size);
    if (mine && block + size == mine->cursor && block >= mine->begin) mine->cursor = block;
}

// The newest block of the thread's own part, both ways; any other shrinks.
bool concurrent_arena::do_try_resize(void* address, layout given, std::size_t new_size) noexcept {
    auto* const block = static_cast<std::byte*>(address);
    cell* const mine = own();
    const bool newest = mine && block + given.size == mine->cursor && block >= mine->begin;
    if (new_size > given.size) {
        const std::size_t more = new_size - given.size;
        if (!newest || more > static_cast<std::size_t>(mine->end - mine->cursor)) return false;
        mine->cursor += more;
        mine->total_bytes.add(more);
        allot::mark_fresh(block + given.size, more);
        return true;
    }
    const std::size_t less = given.size - new_size;
    if (less == 0) return true;
    if (!mine) return false;
    mine->gone_bytes.add(less);
    if (newest) mine->cursor -= less;
    allot::mark_dead(block + new_size, less);
    return true;
}

void concurrent_arena::end_parts() noexcept {
    (void)usage_locked(); // notes the peak
    // A block that another thread gave back counts there: only the sums say what lives.
    for_each_cell([](cell& each) {
        each.cursor = each.end = each.begin = nullptr;
        each.gone_bytes.store(each.total_bytes.load());
        each.gone_count.store(each.total_count.load());
    });
}

// A call that was under way writes its cursor and its counters after end_parts did.
void concurrent_arena::expect_quiet() noexcept {
    if constexpr (checks == check_level::off) return;
    for_each_cell([this](cell& each) {
        const bool quiet = !std::atomic_ref(each.cursor).load(std::memory_order_relaxed) &&
                           each.gone_bytes.load() == each.total_bytes.load() &&
                           each.gone_count.load() == each.total_count.load();
        ALLOT_CHECK(quiet, "concurrent_arena '", options_.name.view(), "': reset while a thread uses it");
    });
}

void concurrent_arena::reset() noexcept {
    const guard hold(mutex_);
    end_parts();
    shared_.reset();
    expect_quiet();
    reset_count_.add(1);
}

void concurrent_arena::release() noexcept {
    const guard hold(mutex_);
    end_parts();
    for_each_cell([](cell& each) { each.part_bytes = 0; });
    shared_.release();
    expect_quiet();
}

usage concurrent_arena::usage() const noexcept {
    const guard hold(mutex_);
    return usage_locked();
}

usage concurrent_arena::usage_locked() const noexcept {
    const allot::usage chunks = shared_.usage();
    allot::usage now{.refused_count = refused_count_.load(),
                     .held_bytes = chunks.held_bytes,
                     .peak_held_bytes = chunks.peak_held_bytes,
                     .held_count = chunks.held_count,
                     .free_bytes = chunks.free_bytes,
                     .limit_bytes = options_.limit_bytes};
    std::uint64_t gone_bytes = 0;
    std::uint64_t gone_count = 0;
    for_each_cell([&](const cell& each) {
        // What is gone first: while others write, it must not be more than what came.
        gone_bytes += each.gone_bytes.load();
        gone_count += each.gone_count.load();
        now.total_bytes += each.total_bytes.load();
        now.total_count += each.total_count.load();
        now.early_bytes_max += each.part_bytes;
    });
    now.live_bytes = now.total_bytes - std::min(gone_bytes, now.total_bytes);
    now.live_count = now.total_count - std::min(gone_count, now.total_count);
    peak_live_bytes_.raise(now.live_bytes);
    now.peak_live_bytes = peak_live_bytes_.load();
    const std::uint64_t others = now.free_bytes + now.live_bytes;
    now.slack_bytes = now.held_bytes - std::min(now.held_bytes, others);
    return now;
}

source_description concurrent_arena::do_describe() const noexcept {
    return {
        .name = options_.name, .kind = "concurrent_arena", .upstream = &shared_.upstream(), .usage = usage()};
}

void concurrent_arena::check() const noexcept {
    const guard hold(mutex_);
    shared_.check();
    const allot::usage now = usage_locked();
    const auto expect = [this](bool holds, const char* what) {
        ALLOT_EXPECT(holds, "concurrent_arena '", options_.name.view(), "': check: ", what);
    };
    expect(now.live_bytes + now.free_bytes + now.slack_bytes == now.held_bytes, "the books do not close");
    expect(now.held_bytes <= options_.limit_bytes, "more is held than the limit");
    for_each_cell([&](const cell& each) {
        expect(each.begin <= each.cursor && each.cursor <= each.end, "a cursor is outside its part");
        expect(!each.begin || shared_.owns(each.begin), "a part is not in the chunks");
    });
}

} // namespace allot
