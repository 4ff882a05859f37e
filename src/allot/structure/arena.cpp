#include <allot/core/client.h>
#include <allot/source/default_source.hpp>
#include <allot/structure/arena.hpp>

namespace allot {

using detail::arena_chunk;
using detail::arena_frame;

arena::arena(const arena_options& options) noexcept : options_(options) {
    if (!options_.upstream) {
        options_.upstream = &default_source();
        options_.huge_pages = true; // which it serves with pages of the system, and huge ones where it can
    }
    ALLOT_EXPECT(options.chunk_bytes_min <= options.chunk_bytes_max, "arena '", options.name.view(),
                 "': chunks of ", options.chunk_bytes_max, " bytes at most and of ", options.chunk_bytes_min,
                 " at least");
    serials_ = beginning_serial_ = reinterpret_cast<std::uintptr_t>(this) << 17; // marks of two arenas differ
    next_chunk_bytes_ = options.chunk_bytes_min;
    if (options.first_chunk.size() >= detail::arena_first_chunk_bytes_min) {
        spare_ = adopt(options.first_chunk.data(), options.first_chunk.size(), 0);
        spare_bytes_ = spare_->room();
        open_oldest_spare();
        publish();
    }
}

arena::arena(arena&& from) noexcept : options_(from.options_) {
    from.check_can_end("move");
    static_cast<arena_state&>(*this) = std::exchange(static_cast<arena_state&>(from), arena_state{});
    gone_bytes_.store(from.gone_bytes_.exchange(0));
    gone_count_.store(from.gone_count_.exchange(0));
    wish_bytes_.store(from.wish_bytes_.exchange(0));
    from.options_.first_chunk = {};
    from.serials_ = from.beginning_serial_ = reinterpret_cast<std::uintptr_t>(&from) << 17;
    from.next_chunk_bytes_ = from.options_.chunk_bytes_min;
    published_.held.store(held_bytes_, std::memory_order_relaxed); // the client knows that
    publish();
    from.publish();
}

arena::~arena() {
    check_can_end("end");
    end_everything();
    while (spare_) {
        arena_chunk* const chunk = unlink_spare(&spare_);
        if (chunk->align) {
            give_upstream(chunk);
        } else {
            allot::mark_live(chunk, chunk->size); // the caller's again
        }
    }
    held_bytes_ = held_count_ = 0;
    tell_client();
}

void arena::release() noexcept {
    check_can_end("release");
    end_everything();
    trim_spares(0);
    next_chunk_bytes_ = options_.chunk_bytes_min;
    open_oldest_spare();
    publish();
}

void arena::reset() noexcept {
    check_can_end("reset");
    ++reset_count_;
    if (keeps_all_at_reset()) return start_over();
    end_everything();
    trim_spares(options_.retain_bytes_max);
    honour_wish();
    open_oldest_spare();
    publish();
}

// One chunk is in use, and neither it nor a spare one is too much or wished for.
bool arena::keeps_all_at_reset() const noexcept {
    return current_ && !current_->older && options_.retain_bytes_max == usage::unlimited &&
           wish_bytes_.load(std::memory_order_relaxed) == 0;
}

// A short request ends as cheaply as it began: what describe() says of the chunks is still right.
void arena::start_over() noexcept {
    end_blocks(nullptr);
    newest_mark_ = nullptr;
    beginning_serial_ = ++serials_;
    chunks_used_ = current_->sequence = 1;
    allot::mark_dead(current_->begin(), current_->size - sizeof(arena_chunk));
    open(current_);
}

// bump once more, without its loop: behind a virtual call nothing stays in registers, and what is left to a
// call at the very end needs no stack frame.
void* arena::do_allocate(std::size_t size, std::size_t align) {
    if (checks >= check_level::on && !is_power_of_two(align)) [[unlikely]]
        return allocate_out_of_line(size, align);
    const auto begin = align_up(reinterpret_cast<std::uintptr_t>(cursor_), std::uintptr_t{align});
    const auto end = begin + size;
    if (align > alignof(std::max_align_t)) [[unlikely]]
        return allocate_out_of_line(size, align);
    if (end > reinterpret_cast<std::uintptr_t>(end_)) [[unlikely]]
        return allocate_out_of_line(size, align);
    if (end <= begin) [[unlikely]]
        return allocate_out_of_line(size, align);
    auto* const block = reinterpret_cast<std::byte*>(begin);
    tally_ =
        static_cast<detail::arena_tally>(static_cast<std::uint64_t>(tally_) + size + detail::arena_tally_one);
    cursor_ = block + size;
    if constexpr (checks >= check_level::on) newest_block_ = block;
    mark_fresh(block, size);
    return block;
}

void* arena::allocate_out_of_line(std::size_t size, std::size_t align) {
    return bump<&arena::refill_or_throw>(size, align);
}

// Makes room for a request that the window does not hold, so that bump's next round serves it.
bool arena::try_refill(std::size_t size, std::size_t align) noexcept {
    const layout wanted{size, align};
    if (!is_power_of_two(wanted.align)) fatal_alignment(wanted.align);
    fold_tally();
    if (parked_) settle_parked();
    if (!current_ || !detail::fits(cursor_, room_end(), wanted)) {
        arena_chunk* const fresh = is_valid(wanted) ? try_take_chunk(wanted) : (refuse(wanted), nullptr);
        honour_wish();
        if (!fresh) {
            ++refused_count_;
            publish();
            return false;
        }
        enter(fresh, wanted);
    }
    const auto cursor = reinterpret_cast<std::uintptr_t>(cursor_);
    open_window(align_up(cursor, std::uintptr_t{align}) + size - cursor);
    // What the tally has no bits for is counted here, and counted off in advance there.
    if (size >= detail::arena_tally_one) {
        total_bytes_ += size;
        tally_ = static_cast<detail::arena_tally>(0 - std::uint64_t{size});
    }
    return true;
}

bool arena::refill_or_throw(std::size_t size, std::size_t align) {
    if (!try_refill(size, align)) throw_out_of_memory();
    return true;
}

// What is left after this block decides which chunk serves the next ones: the same requests then find the
// same chunks again after a reset, and a large block costs nobody a chunk that is hardly used. Such a chunk is
// current only until somebody needs more than it has left.
void arena::enter(arena_chunk* fresh, layout wanted) noexcept {
    fresh->sequence = ++chunks_used_;
    const auto first =
        align_up(reinterpret_cast<std::uintptr_t>(fresh->begin()), std::uintptr_t{wanted.align});
    const std::size_t left = reinterpret_cast<std::uintptr_t>(fresh->end) - first - wanted.size;
    if (current_) current_->used_end = cursor_;
    parked_ = current_ && room() > left ? current_ : nullptr;
    fresh->older = current_;
    open(fresh);
    publish();
    // The block that comes at once is told of, too.
    published_.total_bytes.store(total_bytes() + wanted.size, std::memory_order_relaxed);
    published_.total_count.store(total_count() + 1, std::memory_order_relaxed);
    published_.peak_live.store(std::max(peak_live_bytes_, live_bytes() + wanted.size),
                               std::memory_order_relaxed);
}

void arena::refuse(layout wanted) noexcept {
    note_refusal({.who = options_.name,
                  .kind = "arena",
                  .asked = wanted,
                  .limit_bytes = options_.limit_bytes,
                  .live_bytes = held_bytes_});
}

error arena::refusal_error() noexcept { return shortage_error(); }

result<void*> arena::allocate_or_error(layout wanted) noexcept {
    if (void* const block = try_allocate(wanted)) return block;
    return refusal_error();
}

std::string_view arena::try_copy(std::string_view text) noexcept {
    auto* const room = static_cast<char*>(try_allocate({.size = text.size() + 1, .align = 1}));
    if (!room) return {};
    std::copy(text.begin(), text.end(), room);
    room[text.size()] = 0;
    return {room, text.size()};
}

std::string_view arena::copy(std::string_view text) {
    const std::string_view made = try_copy(text);
    if (!made.data()) throw_out_of_memory();
    return made;
}

// A block that is not in the newest segment of the current chunk, or none at all. `count` is 0 where it
// shrinks.
void arena::give_back_elsewhere(std::byte* block, std::size_t size, std::uint64_t count) noexcept {
    if (!block) return;
    arena_chunk* const home = find_chunk(block, size);
    if (home) {
        const std::byte* const used_end = home == current_ ? cursor_ : home->used_end;
        if (checks >= check_level::on &&
            (block > used_end || size > static_cast<std::size_t>(used_end - block) || size > live_bytes()))
            fatal_block(block, size);
        // The books of every newer mark forget the block, so that a rewind to it restores what then lives.
        for (arena_frame* mark = newest_mark_; mark; mark = mark->previous) {
            if (home->sequence > mark->sequence || (home == mark->chunk && block >= mark->position)) break;
            mark->live_bytes -= size;
            mark->live_count -= count;
        }
    }
    settle(size, count);
    allot::mark_dead(block, size);
}

bool arena::try_resize(void* address, layout given, std::size_t new_size) noexcept {
    auto* const block = static_cast<std::byte*>(address);
    given.size += given.size == 0;
    new_size += new_size == 0;
    const bool newest = block >= segment_ && block + given.size == cursor_;
    if (new_size > given.size) {
        const std::size_t more = new_size - given.size;
        if (!newest || more > room()) return false;
        check_newest(block, given.size);
        fold_tally();
        total_bytes_ += more;
        mark_fresh(cursor_, more);
        cursor_ += more;
        open_window(0);
        return true;
    }
    const std::size_t less = given.size - new_size;
    if (less == 0) return true;
    if (!newest) {
        give_back_elsewhere(block + new_size, less, 0);
        return true;
    }
    check_newest(block, given.size);
    settle(less, 0);
    cursor_ -= less;
    allot::mark_dead(cursor_, less);
    return true;
}

void arena::fatal_alignment(std::size_t align) const noexcept {
    fatal({"arena '", options_.name.view(), "': an alignment of ", align, " is not a power of two"});
}

void arena::fatal_block(const void* block, std::size_t size) const noexcept {
    if (newest_block_ && block == newest_block_)
        fatal({"arena '", options_.name.view(), "': ", block, " is given back with ", size, " bytes and has ",
               cursor_ - newest_block_});
    fatal({"arena '", options_.name.view(), "': ", block, " (", size,
           " bytes) is not a live block of this arena"});
}

std::uint64_t arena::reclaim(reclaim_request wish) noexcept {
    std::uint64_t wished = wish_bytes_.load(std::memory_order_relaxed);
    while (wished < wish.wanted_bytes &&
           !wish_bytes_.compare_exchange_weak(wished, wish.wanted_bytes, std::memory_order_relaxed)) {
    }
    return 0;
}

} // namespace allot
