#include <allot/structure/arena.hpp>
#include <limits>

namespace allot {

using detail::arena_chunk;
using detail::arena_chunk_overhead;

namespace {

constexpr std::size_t chunk_align = alignof(std::max_align_t);
constexpr std::size_t huge_page = mebibytes(2);

// So many chunks are looked through for the owner of a block given back at check level on, where the books do
// not need it: the check stays cheap in an arena of thousands of chunks.
constexpr std::size_t checked_chunks_max = 32;

} // namespace

// Makes a chunk of memory from upstream (align > 0) or of the caller's (align 0).
arena_chunk* arena::adopt(std::byte* memory, std::size_t size, std::size_t align) noexcept {
    const auto address = reinterpret_cast<std::uintptr_t>(memory);
    const std::size_t skipped = align_up(address, std::uintptr_t{chunk_align}) - address;
    std::byte* const first = memory + skipped;
    size -= skipped;
    allot::mark_live(first, size);
    auto* const chunk = ::new (first) arena_chunk{
        .older = nullptr,
        .size = size,
        .align = align,
        .sequence = 0,
        .used_end = nullptr,
        .end = first + align_down(size, chunk_align) - sizeof(detail::arena_frame),
    };
    allot::mark_dead(chunk->begin(), size - sizeof(arena_chunk));
    held_bytes_ += size;
    held_count_ += 1;
    peak_held_bytes_ = std::max(peak_held_bytes_, held_bytes_);
    return chunk;
}

void arena::open(arena_chunk* chunk) noexcept { go_on_in(chunk, chunk->begin()); }

void arena::open_window(std::size_t needed) noexcept {
    std::byte* const limit = room_end();
    const std::size_t bytes =
        std::max(detail::arena_window_bytes_max, align_up(needed, std::size_t{chunk_align}));
    const auto to_grain = static_cast<std::size_t>(-reinterpret_cast<std::uintptr_t>(cursor_) & 15);
    const auto left = static_cast<std::size_t>(limit - cursor_);
    end_ = left < to_grain || left - to_grain <= bytes ? limit : cursor_ + to_grain + bytes;
}

// Where a mark stands in the room kept for one, the chunk takes no block.
std::byte* arena::room_end() const noexcept {
    if (!current_) return cursor_;
    return newest_mark_ && newest_mark_ == current_->reserve() ? cursor_ : current_->end;
}

// The chunk of a large block goes below the one that has more room, which goes on.
void arena::settle_parked() noexcept {
    arena_chunk* const roomy = std::exchange(parked_, nullptr);
    if (static_cast<std::uint64_t>(roomy->end - roomy->used_end) <= room()) return;
    arena_chunk* const full = current_;
    full->used_end = cursor_;
    full->older = roomy->older;
    roomy->older = full;
    go_on_in(roomy, roomy->used_end);
}

std::uint64_t arena::free_bytes() const noexcept {
    const std::uint64_t parked = parked_ ? static_cast<std::uint64_t>(parked_->end - parked_->used_end) : 0;
    return std::max(room(), parked) + spare_bytes_;
}

// After everything ended. The first in the order of use: the next requests find the chunks in the same order.
void arena::open_oldest_spare() noexcept {
    if (!spare_) return;
    arena_chunk* const chunk = unlink_spare(&spare_);
    chunk->older = nullptr;
    chunk->sequence = ++chunks_used_;
    open(chunk);
}

arena_chunk* arena::try_take_chunk(layout wanted) noexcept {
    for (arena_chunk** link = &spare_; *link; link = &(*link)->older)
        if (detail::fits((*link)->begin(), (*link)->end, wanted)) return unlink_spare(link);
    return try_grow(wanted);
}

// Asks for a chunk of the growing size; where the limit or upstream has not so much, for what is needed.
arena_chunk* arena::try_grow(layout wanted) noexcept {
    std::size_t needed = 0;
    const std::size_t padding = wanted.align > chunk_align ? wanted.align - chunk_align : 0;
    const std::uint64_t left = options_.limit_bytes - std::min(options_.limit_bytes, held_bytes_);
    if (!checked_add(wanted.size, padding + arena_chunk_overhead, needed) ||
        !checked_align_up(needed, chunk_align, needed) || !is_valid({needed, chunk_align}) || needed > left) {
        refuse(wanted);
        return nullptr;
    }
    for (std::size_t bytes = std::max(next_chunk_bytes_, needed);; bytes = needed) {
        layout chunk{bytes, options_.huge_pages && bytes >= huge_page ? huge_page : chunk_align};
        chunk.size = upstream().good_size(chunk); // what it costs, and so what is held
        const bool allowed = chunk.size <= left;
        void* const memory = allowed ? upstream().try_allocate(chunk) : nullptr;
        if (memory) {
            next_chunk_bytes_ = next_chunk_bytes_ > options_.chunk_bytes_max / 2 ? options_.chunk_bytes_max
                                                                                 : next_chunk_bytes_ * 2;
            return adopt(static_cast<std::byte*>(memory), chunk.size, chunk.align);
        }
        if (bytes == needed) {
            if (!allowed) refuse(wanted);
            return nullptr;
        }
    }
}

// Moves the chunks that came into use after `to` to the spare ones, before those, in the order of their use.
void arena::drop_chunks(const detail::arena_frame* to) noexcept {
    arena_chunk* dropped = nullptr;
    const auto drop = [&dropped](arena_chunk*& from) {
        arena_chunk* const chunk = from;
        from = chunk->older;
        arena_chunk** link = &dropped;
        while (*link && (*link)->sequence < chunk->sequence) link = &(*link)->older;
        chunk->older = *link;
        *link = chunk;
    };
    parked_ = nullptr;
    if (current_) current_->used_end = cursor_;
    while (current_ && !(to && current_ == to->chunk)) drop(current_);
    while (current_ && current_->older && current_->older->sequence > to->sequence) drop(current_->older);
    chunks_used_ = to ? to->sequence : 0;

    arena_chunk** last = &dropped;
    for (; *last; last = &(*last)->older) {
        allot::mark_dead((*last)->begin(), (*last)->size - sizeof(arena_chunk));
        spare_bytes_ += (*last)->room();
    }
    *last = spare_;
    spare_ = dropped;
}

arena_chunk* arena::unlink_spare(arena_chunk** link) noexcept {
    arena_chunk* const chunk = *link;
    *link = chunk->older;
    spare_bytes_ -= chunk->room();
    return chunk;
}

void arena::give_upstream(arena_chunk* chunk) noexcept {
    held_bytes_ -= chunk->size;
    held_count_ -= 1;
    const layout given{chunk->size, chunk->align};
    allot::mark_live(chunk, given.size);
    upstream().deallocate(chunk, given);
}

// Keeps the caller's first chunk, and of the others those that are used first.
void arena::trim_spares(std::uint64_t keep_bytes_max) noexcept {
    std::uint64_t kept = 0;
    for (arena_chunk** link = &spare_; *link;) {
        const std::size_t size = (*link)->align ? (*link)->size : 0;
        if (size <= keep_bytes_max - kept) {
            kept += size;
            link = &(*link)->older;
        } else {
            give_upstream(unlink_spare(link));
        }
    }
}

bool arena::honour_wish() noexcept {
    std::uint64_t wished = wish_bytes_.load(std::memory_order_relaxed);
    if (wished == 0) return false;
    const std::uint64_t held_before = held_bytes_;
    wished = wish_bytes_.exchange(0, std::memory_order_relaxed);
    for (arena_chunk** link = &spare_; *link && wished != 0;) {
        if ((*link)->align) {
            wished -= std::min<std::uint64_t>(wished, (*link)->size);
            give_upstream(unlink_spare(link));
        } else {
            link = &(*link)->older;
        }
    }
    return held_bytes_ != held_before;
}

// The chunk in use that the address lies in; nullptr where that was not looked for to the end.
arena_chunk* arena::find_chunk(const std::byte* address, std::size_t size) const noexcept {
    std::size_t steps = newest_mark_ || checks == check_level::full ? std::numeric_limits<std::size_t>::max()
                        : checks == check_level::on                 ? checked_chunks_max
                                                                    : 0;
    for (arena_chunk* chunk = current_; chunk; chunk = chunk->older) {
        if (steps-- == 0) return nullptr;
        if (chunk->contains(address)) return chunk;
    }
    if constexpr (checks >= check_level::on) fatal_block(address, size);
    return nullptr;
}

} // namespace allot
