// cold_extents: which bytes of a store are free: first fit from the front, neighbours merged.
//
// For cold_store alone. What is released pending is nobody's, but not handed out before commit(): the last index
// that was written may still name it.
// Owns an array of 24 bytes for each free range, of the cold_memory. It has room for a range per extent, so that
// release() cannot fail.
// Threads: compatible. Cost: O(ranges) each call.
#pragma once

#include <allot/structure/cold_codec.hpp>

namespace allot::detail {

class cold_extents {
public:
    static constexpr std::uint64_t none = static_cast<std::uint64_t>(-1);
    static constexpr std::uint64_t granule_bytes = 512; // no two extents share a sector

    // The store's first bytes are not handed out, and none from end_max on.
    cold_extents(std::uint64_t first, std::uint64_t end_max, cold_memory& memory) noexcept
        : memory_(memory), first_(first), end_max_(end_max), end_(first) {}
    cold_extents(const cold_extents&) = delete;
    cold_extents& operator=(const cold_extents&) = delete;
    ~cold_extents() { memory_.give(ranges_, layout_of(capacity_)); }

    // Where; or none: the store is full, or (is_short()) there is no memory for the books.
    std::uint64_t try_allocate(std::uint64_t bytes) noexcept { return try_allocate_below(bytes, none); }
    // Only where that moves something further to the front.
    std::uint64_t try_allocate_below(std::uint64_t bytes, std::uint64_t below) noexcept;
    bool is_short() const noexcept { return is_short_; }
    void release(std::uint64_t offset, std::uint64_t bytes, bool pending) noexcept;
    void commit() noexcept; // pending ranges are free

    // For opening: what is in use, from the front. False: it overlaps, lies outside, or is_short().
    bool try_append_used(std::uint64_t offset, std::uint64_t bytes) noexcept;
    void clear() noexcept; // all is free
    bool try_reserve(std::uint64_t extent_count) noexcept;

    std::uint64_t end() const noexcept { return end_; } // nothing is in use from here on
    std::uint64_t free_bytes() const noexcept;          // before the end, pending ones included
    std::uint64_t used_count() const noexcept { return used_count_; }
    std::uint64_t held_bytes() const noexcept { return layout_of(capacity_).size * (capacity_ != 0); }
    static std::uint64_t rounded(std::uint64_t bytes) noexcept {
        return align_up(bytes + (bytes == 0), granule_bytes);
    }
    bool is_consistent() const noexcept;

private:
    struct range {
        std::uint64_t offset;
        std::uint64_t bytes;
        bool is_pending;
        std::uint64_t end() const noexcept { return offset + bytes; }
    };
    static layout layout_of(std::uint64_t capacity) noexcept {
        return {static_cast<std::size_t>(capacity) * sizeof(range), alignof(range)};
    }
    bool make_room() noexcept { return try_reserve(used_count_ + 1); }
    void insert(std::uint64_t at, range added) noexcept;
    void remove(std::uint64_t at) noexcept;
    void merge_with_next(std::uint64_t at) noexcept;
    void cut_end() noexcept;

    cold_memory& memory_;     // borrowed
    range* ranges_ = nullptr; // by offset; count_ + used_count_ <= capacity_
    std::uint64_t count_ = 0; // all before end_, none overlapping, none free that touches the next free one
    std::uint64_t capacity_ = 0;
    std::uint64_t used_count_ = 0;
    std::uint64_t first_;
    std::uint64_t end_max_;
    std::uint64_t end_;
    bool is_short_ = false;
};

} // namespace allot::detail
