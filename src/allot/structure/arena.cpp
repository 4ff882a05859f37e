#include <allot/core/client.h>
#include <allot/source/default_source.hpp>
#include <allot/structure/arena.hpp>

namespace allot {

using detail::arena_chunk;
using detail::arena_frame;

arena::arena(const arena_options& options) noexcept : options_(options) {
    if (!options_.upstream) options_.upstream = &default_source();
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
    end_everything();
    trim_spares(options_.retain_bytes_max);
    honour_wish();
    open_oldest_spare();
    ++reset_count_;
    publish();
}

// A request that the current chunk does not serve: of 0 bytes, beyond any address space, or just too large.
void* arena::allocate_slow(std::size_t size, std::size_t align) noexcept {
    const layout wanted{size + (size == 0), align};
    if (!is_power_of_two(wanted.align)) fatal_alignment(wanted.align);
    if (current_ && detail::fits(cursor_, end_, wanted))
        return bump<&arena::allocate_slow>(wanted.size, wanted.align);
    arena_chunk* const fresh = is_valid(wanted) ? try_take_chunk(wanted) : (refuse(wanted), nullptr);
    honour_wish();
    if (!fresh) {
        ++refused_count_;
        publish();
        return nullptr;
    }
    fresh->sequence = ++chunks_used_;
    // What is left after this block decides which chunk serves the next ones: the same requests then find the
    // same chunks again after a reset, and a large block costs nobody a chunk that is hardly used.
    const auto first =
        align_up(reinterpret_cast<std::uintptr_t>(fresh->begin()), std::uintptr_t{wanted.align});
    const std::size_t left = reinterpret_cast<std::uintptr_t>(fresh->end) - first - wanted.size;
    if (current_ && static_cast<std::size_t>(end_ - cursor_) > left) {
        auto* const block = reinterpret_cast<std::byte*>(first);
        fresh->used_end = block + wanted.size;
        fresh->older = current_->older;
        current_->older = fresh;
        total_bytes_ += wanted.size;
        total_count_ += 1;
        mark_fresh(block, wanted.size);
        publish();
        return block;
    }
    if (current_) current_->used_end = cursor_;
    fresh->older = current_;
    open(fresh);
    void* const block = bump<&arena::allocate_slow>(wanted.size, wanted.align);
    publish();
    return block;
}

void* arena::allocate_slow_or_throw(std::size_t size, std::size_t align) {
    void* const block = allocate_slow(size, align);
    if (!block) throw_out_of_memory();
    return block;
}

void arena::refuse(layout wanted) noexcept {
    note_refusal({.who = options_.name,
                  .kind = "arena",
                  .asked = wanted,
                  .limit_bytes = options_.limit_bytes,
                  .live_bytes = held_bytes_});
}

error arena::refusal_error() noexcept { return error(out_of_memory(last_refusal()).what()); }

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
        if (!newest || more > static_cast<std::size_t>(end_ - cursor_)) return false;
        check_newest(block, given.size);
        total_bytes_ += more;
        mark_fresh(cursor_, more);
        cursor_ += more;
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
