// arena_parts: an arena's state, and what it writes into its own chunks. For arena's sources and for
// debuggers.
//
//     chunk:  head (48) | blocks … cursor, free … | room for one mark (64)
//              begin()                            end                      this + size
//
// Invariants, of a quiet arena (check() tests them):
//     held_bytes_ == sum of size, held_count_ == number of all chunks, in use and spare
//     current_ is the chunk of cursor_; sequences fall along `older`, except that a chunk made for one large
//     block stands below the then current chunk with a higher sequence
//     begin() <= used_end <= end of every chunk in use; of the current one, begin() <= cursor_ <= end_ <= end
//     end_ is short of the chunk's end where that is further than a window, or a mark closed the chunk
//     a mark stands between the blocks that are older and those that are newer, in the chunk that was current
//     then; where that had no room, in the room kept at `end`, and the chunk takes no block until a rewind
//     marks: sequence and serial fall along `previous`
#pragma once

#include <allot/core/layout.hpp>
#include <cstddef>
#include <cstdint>

namespace allot::detail {

struct arena_owned {
    arena_owned* older;
    void (*destroy)(void* object) noexcept;
    void* object;
};

struct alignas(16) arena_frame {
    arena_frame* previous;
    struct arena_chunk* chunk; // current when the mark was made
    std::byte* position;       // the cursor at that time
    std::uint64_t live_bytes;  // of the blocks that are older and still live
    std::uint64_t live_count;
    arena_owned* owned;
    std::uint64_t serial;
    std::uint64_t sequence; // of the newest chunk at that time

    inline std::byte* resume() noexcept; // the cursor after the mark
    inline bool is_in_reserve() const noexcept;
};

struct alignas(16) arena_chunk {
    arena_chunk* older;     // in use: the next below; spare: the next to be used
    std::size_t size;       // of the whole block, this head included
    std::size_t align;      // of the layout that upstream gave it for; 0: the caller's first chunk
    std::uint64_t sequence; // place in the order of use, from 1
    std::byte* used_end;    // where its blocks end; for the current chunk the cursor says it
    std::byte* end;         // where they must end: a multiple of 16

    std::byte* begin() noexcept { return reinterpret_cast<std::byte*>(this + 1); }
    arena_frame* reserve() noexcept { return reinterpret_cast<arena_frame*>(end); }
    std::size_t room() noexcept { return static_cast<std::size_t>(end - begin()); }
    bool contains(const std::byte* address) noexcept {
        const auto distance =
            reinterpret_cast<std::uintptr_t>(address) - reinterpret_cast<std::uintptr_t>(begin());
        return distance < room();
    }
};

inline constexpr std::size_t arena_chunk_overhead = sizeof(arena_chunk) + sizeof(arena_frame);
inline constexpr std::size_t arena_first_chunk_bytes_min = 256;

static_assert(sizeof(arena_chunk) == 48 && sizeof(arena_frame) == 64);

inline bool arena_frame::is_in_reserve() const noexcept {
    return reinterpret_cast<const std::byte*>(this) == chunk->end;
}
inline std::byte* arena_frame::resume() noexcept {
    if (!is_in_reserve()) return reinterpret_cast<std::byte*>(this + 1);
    return position + (-reinterpret_cast<std::uintptr_t>(position) & 15);
}

// Without a doubt about alignment: for slow paths.
inline bool fits(const std::byte* begin, const std::byte* end, layout wanted) noexcept {
    const auto last = reinterpret_cast<std::uintptr_t>(end);
    std::uintptr_t first = reinterpret_cast<std::uintptr_t>(begin);
    return checked_align_up(first, std::uintptr_t{wanted.align}, first) && first <= last &&
           wanted.size <= last - first;
}

// Count (24 bits) and bytes (40) of the blocks handed out since the totals were last brought up to date; the
// window keeps both from running over. A type of its own: no store of a user's can be one to it, so that a
// compiler may keep it, like the cursor, in a register from one allocation to the next.
enum class arena_tally : std::uint64_t {};
inline constexpr unsigned arena_tally_count_shift = 40; // scripts/gdb knows it, too
inline constexpr std::uint64_t arena_tally_one = std::uint64_t{1} << arena_tally_count_shift;
// So much of a chunk is open at a time: a block has a byte at least.
inline constexpr std::size_t arena_window_bytes_max = (std::size_t{1} << 24) - 16;

// All that goes along when an arena moves, but for its counts of what was given back.
struct arena_state {
    std::byte* cursor_ = nullptr; // the free bytes of the current chunk are [cursor_, end_)
    std::byte* end_ = nullptr;    // a multiple of 16
    arena_tally tally_{};
    std::byte* newest_block_ = nullptr; // kept at check level on; nullptr: not known
    std::uint64_t total_bytes_ = 0;     // without the tally
    std::uint64_t total_count_ = 0;
    std::byte* segment_ = nullptr;      // blocks in [segment_, cursor_) are newer than every mark
    std::uint64_t peak_live_bytes_ = 0; // as of the last time that live shrank

    arena_chunk* current_ = nullptr; // and below it the others in use
    arena_chunk* parked_ = nullptr;  // the one below current_, where that was opened for one large block
    arena_chunk* spare_ = nullptr;   // in the order of their next use
    arena_frame* newest_mark_ = nullptr;
    arena_owned* owned_ = nullptr;  // newest first
    std::uint64_t chunks_used_ = 0; // the highest sequence in use
    std::uint64_t serials_ = 0;
    std::uint64_t beginning_serial_ = 0; // of the mark at the arena's beginning
    std::uint64_t open_scopes_ = 0;
    std::uint64_t held_bytes_ = 0;
    std::uint64_t peak_held_bytes_ = 0;
    std::uint64_t held_count_ = 0;
    std::uint64_t spare_bytes_ = 0; // what the spare chunks have room for
    std::uint64_t refused_count_ = 0;
    std::uint64_t reset_count_ = 0;
    std::uint64_t client_id_ = 0; // under `allot run`; 0: never told
    std::size_t next_chunk_bytes_ = 0;
    bool runs_destructors_ = false;
};

} // namespace allot::detail
