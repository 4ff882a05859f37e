// cold_block: what a cold_store knows of one block.
//
// For cold_store's own files alone.
#pragma once

#include <allot/structure/cold_store.hpp>

namespace allot::detail {

inline constexpr std::uint64_t first_extent = 8192; // behind the two superblocks

struct cold_block {
    // hot: `size` bytes; compressed: `packed` bytes; else nullptr. A block of no bytes is hot with nullptr.
    std::byte* memory = nullptr;
    std::uint64_t offset =
        cold_extents::none;     // of the packed bytes in the store, which are these while hot, too
    std::uint64_t checksum = 0; // of the packed bytes, where there are some
    std::uint64_t touched = 0;  // the operation
    std::uint32_t size = 0;
    std::uint32_t packed = 0;
    std::uint32_t generation = 0;         // odd while it lives
    std::uint32_t previous = 0, next = 0; // of its tier's list; next free record
    std::uint32_t pin_count = 0;
    cold_tier tier = cold_tier::none;
    cold_codec codec = cold_codec::raw;
    bool is_durable = false;
    bool is_committed = false; // an index that may be on disk names its extent

    bool has_extent() const noexcept { return offset != cold_extents::none; }
    layout memory_layout() const noexcept {
        return {tier == cold_tier::hot ? std::size_t{size} : std::size_t{packed}, 16};
    }
    std::span<const std::byte> plain() const noexcept { return {memory, size}; }
};
static_assert(sizeof(cold_block) == 64);

} // namespace allot::detail
