#include <allot/structure/arena.hpp>

namespace allot {

using detail::arena_chunk;
using detail::arena_owned;

// Order: what can refuse comes first, then `from` is taken apart, then its parts are put below the current
// chunk, each with a sequence higher than any here: so every mark here is older than all of them.
bool arena::try_absorb(arena& from) noexcept {
    ALLOT_CHECK(&from != this, "arena '", options_.name.view(), "': absorbs itself");
    from.check_can_end("end by absorb");
    ALLOT_EXPECT(&upstream() == &from.upstream(), "arena '", options_.name.view(), "': absorbs '",
                 from.options_.name.view(), "' of another upstream");
    // Blocks that one observer was told of can end under no other.
    ALLOT_EXPECT(!options_.above || options_.above == from.options_.above, "arena '", options_.name.view(),
                 "': absorbs '", from.options_.name.view(), "' of another bulk_observer");
    if (!from.current_ || from.at_beginning()) return true;
    std::uint64_t bytes = 0;
    std::uint64_t count = 0;
    for (const arena_chunk* chunk = from.current_; chunk; chunk = chunk->older) {
        bytes += chunk->size;
        ++count;
    }
    if (bytes > options_.limit_bytes - std::min(options_.limit_bytes, held_bytes_)) {
        ++refused_count_;
        refuse({.size = bytes});
        return false;
    }
    fold_tally();
    if (parked_) settle_parked();
    take_books(from);
    held_bytes_ += bytes;
    held_count_ += count;
    peak_held_bytes_ = std::max(peak_held_bytes_, held_bytes_);
    from.held_bytes_ -= bytes;
    from.held_count_ -= count;
    take_chunks(from);
    from.open_oldest_spare();
    publish();
    from.publish();
    return true;
}

// Whether nothing stands in its chunks.
bool arena::at_beginning() const noexcept {
    return !current_->older && cursor_ == current_->begin() && !owned_;
}

// What lives there lives here from now on; there it is gone.
void arena::take_books(arena& from) noexcept {
    const bulk_free moved{.live_bytes = from.live_bytes(), .live_count = from.live_count()};
    total_bytes_ += moved.live_bytes;
    total_count_ += moved.live_count;
    from.settle(moved.live_bytes, moved.live_count);
    if (from.options_.above && from.options_.above != options_.above && moved.live_count != 0)
        from.options_.above->bulk_freed(moved);
    if (!from.owned_) return;
    arena_owned* oldest = from.owned_;
    while (oldest->older) oldest = oldest->older;
    oldest->older = owned_;
    owned_ = std::exchange(from.owned_, nullptr);
}

// The newest of them goes on as current where there is none here.
void arena::take_chunks(arena& from) noexcept {
    arena_chunk* chunks = std::exchange(from.current_, nullptr);
    chunks->used_end = from.cursor_;
    arena_chunk* reversed = nullptr; // the oldest first
    while (chunks) {
        arena_chunk* const next = chunks->older;
        chunks->older = reversed;
        reversed = chunks;
        chunks = next;
    }
    if (!current_) {
        arena_chunk* const first = std::exchange(reversed, reversed->older);
        first->older = nullptr;
        first->sequence = ++chunks_used_;
        go_on_in(first, first->used_end);
    }
    while (reversed) {
        arena_chunk* const chunk = std::exchange(reversed, reversed->older);
        chunk->sequence = ++chunks_used_;
        chunk->older = current_->older;
        current_->older = chunk;
    }
    from.newest_mark_ = nullptr;
    from.parked_ = nullptr;
    from.chunks_used_ = 0;
    from.beginning_serial_ = ++from.serials_;
    from.cursor_ = from.end_ = from.segment_ = from.newest_block_ = nullptr;
}

} // namespace allot
