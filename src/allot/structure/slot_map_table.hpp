// slot_table: the part of a slot_map that knows no type: segments, generations, occupancy, books.
//
// For slot_map alone. A segment has a fixed number of slots and is one block of upstream: words (16 bytes per
// 64 slots), then each slot's value and its bits; where that would waste much, all bits and then all values.
// The bits of a slot are those of its value's handle: generation and index. The generation is odd while a
// value lives and even while the slot is spare; it only grows. So a look-up is one compare: equal bits say
// "lives, and is the one that was meant", whatever slot a foreign handle leads to.
// A segment is present (it has that block), absent (its block went upstream) or packed (what lives in it lies
// side by side in a smaller block, see slot_packed). In place of a block that is not there stands one of
// zeros: no handle has these bits, and no word has a bit, so that the fast path needs no test. What remains
// of such a segment is its floor: an even generation above all that its slots ever had, with which they begin
// again.
// Owns its blocks. Borrows upstream.
// Threads: compatible.
// Cost: 48 bytes per segment, and the blocks.
#pragma once

#include <allot/core/checks.hpp>
#include <allot/core/memory_source.hpp>
#include <allot/core/name.hpp>
#include <allot/core/poison.hpp>
#include <bit>
#include <cstdint>

namespace allot {

struct slot_map_options {
    allot::name name = "slot_map";
    memory_source* upstream = nullptr;            // default_source()
    std::uint64_t count_max = usage::unlimited;   // values that live at a time
    std::uint64_t limit_bytes = usage::unlimited; // of what is taken from upstream, book-keeping included
    // A slot that had this generation is retired when its value goes. Less than the default for handles that
    // are kept in fewer bits. An even one counts as the next lower.
    std::uint32_t generation_max = static_cast<std::uint32_t>(-3);
};

namespace detail {

// live & spare == 0. In neither: retired, or being constructed or destroyed.
struct slot_words {
    std::uint64_t live = 0;
    std::uint64_t spare = 0;
};

// Of 64 slots of a packed segment: who has a place in it, and how many places come before theirs.
struct slot_packed_words {
    std::uint64_t stored = 0;
    std::uint64_t live = 0; // a part of stored
    std::uint64_t before = 0;
};

// A block of words, then generations, then values, each one per place.
struct slot_packed {
    slot_packed_words* words = nullptr;
    std::uint32_t* generations = nullptr;
    std::byte* values = nullptr;
    std::uint32_t count = 0;

    static std::uint32_t place(const slot_packed_words& word, unsigned bit) noexcept {
        return static_cast<std::uint32_t>(word.before) +
               static_cast<std::uint32_t>(std::popcount(word.stored & ((std::uint64_t{1} << bit) - 1)));
    }
};

struct slot_segment {
    std::byte* block = nullptr;    // never nullptr in use: zeros where not present
    std::uint64_t spare_words = 0; // bit w is set where words[w].spare is not 0, and perhaps elsewhere
    slot_packed_words* packed = nullptr;
    std::uint32_t packed_count = 0; // places in it
    std::uint32_t floor = 0;        // where not present

    slot_words* words() const noexcept { return reinterpret_cast<slot_words*>(block); }
};

// What a slot_map<T> knows when it is compiled.
struct slot_shape {
    static constexpr std::uint32_t slot_count_max = 1024;
    static constexpr std::size_t zeros_bytes = kibibytes(65);

    std::uint32_t slot_count; // of a segment: a power of two, 64 to slot_count_max
    std::size_t value_size;
    std::size_t value_align;

    constexpr std::uint32_t word_count() const noexcept { return slot_count / 64; }
    constexpr std::size_t words_bytes() const noexcept { return word_count() * sizeof(slot_words); }
    constexpr std::size_t block_align() const noexcept { return value_align < 64 ? 64 : value_align; }
    constexpr std::size_t pair_stride() const noexcept {
        return align_up(align_up(value_size, std::size_t{8}) + 8, value_align);
    }
    // Value and bits side by side cost one cache line, but up to their alignment in padding.
    constexpr bool is_paired() const noexcept {
        return value_align <= 16 && words_bytes() + 128 + slot_count * pair_stride() <= zeros_bytes;
    }
    constexpr std::size_t value_stride() const noexcept { return is_paired() ? pair_stride() : value_size; }
    constexpr std::size_t bits_stride() const noexcept { return is_paired() ? pair_stride() : 8; }
    // In a pair the bits come first: what begins a value mostly lies in their cache line, too.
    constexpr std::size_t bits_offset() const noexcept {
        return is_paired() ? values_offset() - 8 : align_up(words_bytes(), std::size_t{64});
    }
    constexpr std::size_t values_offset() const noexcept {
        const std::size_t words = align_up(words_bytes(), std::size_t{64});
        return is_paired() ? align_up(words + 8, value_align)
                           : align_up(words + slot_count * std::size_t{8}, block_align());
    }
    constexpr layout segment_layout() const noexcept {
        return {values_offset() + slot_count * value_stride(), block_align()};
    }
    constexpr std::size_t packed_values_offset(std::uint32_t count) const noexcept {
        return align_up(word_count() * sizeof(slot_packed_words) + count * sizeof(std::uint32_t),
                        value_align);
    }
    constexpr layout packed_layout(std::uint32_t count) const noexcept {
        return {packed_values_offset(count) + count * value_size, value_align < 8 ? 8 : value_align};
    }
};

class slot_table {
public:
    using index = std::uint32_t;
    static constexpr index no_slot = static_cast<index>(-1);
    static constexpr std::uint32_t retired = static_cast<std::uint32_t>(-2);

    slot_table(const slot_map_options& options, const slot_shape& shape) noexcept;
    slot_table(const slot_table&) = delete;
    slot_table& operator=(const slot_table&) = delete;
    ~slot_table(); // all blocks go upstream; no value is destroyed here

    // Notes that count_max is reached.
    [[gnu::cold]] index refuse_more() noexcept;
    // Makes open_words a word with a spare slot, in a new segment if need be. False on shortage.
    bool open() noexcept;
    bool try_reserve(std::uint64_t slot_count) noexcept;
    // Segments where nothing lives go upstream. Returns their bytes.
    std::uint64_t trim() noexcept;
    // A block for `count` places of segment `at`, nothing in it; words is nullptr on shortage.
    slot_packed allocate_packed(std::uint32_t count) noexcept;
    slot_packed packed(const slot_segment& segment) const noexcept;
    // The segment's block, and the packed one that it may have, go upstream; `next` takes its place.
    void replace(std::uint32_t at, const slot_packed& next) noexcept;

    static std::byte* zeros() noexcept;
    std::uint64_t& bits(std::uint32_t segment, std::uint32_t slot) const noexcept {
        return *reinterpret_cast<std::uint64_t*>(segments[segment].block + shape_.bits_offset() +
                                                 slot * shape_.bits_stride());
    }
    // Of a present one: whether all slots are live, spare or retired, so that none is just being constructed.
    bool is_settled(std::uint32_t segment) const noexcept;
    std::uint32_t live_count_in(std::uint32_t segment) const noexcept;
    std::uint32_t segment_count() const noexcept { return slot_bound / shape_.slot_count; }
    bool is_present(std::uint32_t segment) const noexcept { return segments[segment].block != zeros(); }
    std::uint64_t live_count() const noexcept { return inserted_count - erased_count; }
    // Values that fit without asking upstream, the live ones included.
    std::uint64_t capacity() const noexcept {
        return present_count_ * std::uint64_t{shape_.slot_count} - retired_count + packed_live_count;
    }
    const allot::name& name() const noexcept { return name_; }
    std::uint32_t generation_max() const noexcept { return generation_max_; }
    allot::usage usage() const noexcept;
    void check() const noexcept;
    [[noreturn, gnu::cold]] void fatal_stale(std::uint32_t slot, std::uint32_t generation) const noexcept;

    // Written by slot_map's fast paths.
    // Of the segments: where the bits of slot 0 would be if all slots were as far apart as this segment's.
    // The table has room for a power of two of segments, and leads to zeros where there is none.
    std::byte** bases;
    index slot_mask;        // slots of the whole table, less 1
    index slot_bound = 0;   // slots of all segments, present or not
    slot_segment* segments; // beside bases
    slot_words* open_words; // what the next insertion looks at,
    index open_slot = 0;    // and its first slot
    std::uint64_t inserted_count = 0;
    std::uint64_t erased_count = 0;
    std::uint64_t peak_live_count = 0;
    std::uint64_t*
        spare_segments; // bit s is set where segments[s].spare_words is not 0, and perhaps elsewhere
    std::uint32_t spare_segments_from = 0; // words of spare_segments before this one are 0
    std::uint32_t packed_segment_count = 0;
    std::uint64_t packed_live_count = 0; // values in packed segments
    std::uint32_t packed_depth = 0;      // destructors that run in packed segments, one below the other
    std::uint64_t retired_count = 0;     // slots of present segments
    std::uint64_t count_max;

private:
    void set_block(std::uint32_t segment, std::byte* block) noexcept;
    bool open_in(std::uint32_t segment) noexcept;
    std::uint32_t add_segment() noexcept; // returns its number, or no_slot
    bool make_room_in_table() noexcept;
    void give_up_table() noexcept;
    void* take(layout wanted) noexcept;
    void give_back(void* block, layout given) noexcept;
    void* refuse() noexcept;
    layout table_layout(std::uint32_t segments_capacity) const noexcept;
    layout segment_layout() const noexcept { return shape_.segment_layout(); }
    std::uint32_t floor_of(std::uint32_t segment) const noexcept;
    std::uint32_t retired_in(std::uint32_t segment) const noexcept;
    void expect(bool holds, const char* what) const noexcept;
    std::uint64_t check_segment(std::uint32_t segment) const noexcept; // returns the retired slots
    void tell_client() noexcept;

    slot_shape shape_;
    allot::name name_;
    memory_source& upstream_; // borrowed
    std::uint64_t limit_bytes_;
    std::uint32_t generation_max_;
    std::uint32_t segment_capacity_ = 0; // of the table
    std::uint32_t present_count_ = 0;
    std::uint32_t gone_count_ = 0; // absent, and their floor allows another life
    std::uint64_t held_bytes_ = 0;
    std::uint64_t peak_held_bytes_ = 0;
    std::uint64_t held_count_ = 0;
    std::uint64_t refused_count_ = 0;
    std::uint64_t client_id_ = 0; // under `allot run`; 0: never told
    std::byte* no_bases_[1];      // the table of no segments
    slot_segment no_segments_[1];
    std::uint64_t no_spare_[1] = {0};
};

} // namespace detail
} // namespace allot
