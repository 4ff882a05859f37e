// reap: an arena that uses again the room of each block that is given back; all goes at once all the same.
//
// Use it for what dies together but for a good part of it that dies before: a tree under rewriting, a cache
// of an operation. Where hardly anything is given back, or where you need marks and scopes, take arena; for
// one size pool; for blocks that outlive each other in no order malloc_source.
// Blocks of up to 512 bytes are rounded up to 16 and wait in a list of their size when they are given back;
// larger ones, and those aligned to more than 16, are the arena's: its newest has its room back, others wait
// for the reset.
// Owns its chunks, borrows upstream.
// Threads: thread-compatible. describe() from any.
// Cost: a block from a list is cheaper than one from the arena, and giving it back cheaper than to the arena.
// On CPython's nodes with 30 % given back it holds 1.4 times what lives, where the arena holds 1.9
// (docs/design/002-reap.md).
//
//     reap tree({.name = "tree"});
//     void* first = tree.allocate(40);
//     (void)tree.allocate(100);
//     tree.deallocate(first, 40);
//     assert(tree.allocate(48) == first); // of the same 48 bytes
//     tree.reset();                       // all is dead, the chunks are kept
//
// Fatal, at check level on:
//     allot: fatal: reap 'NAME': ADDRESS is given back twice
//     allot: fatal: reap 'NAME': ADDRESS was written to after it was given back
// and what arena says of blocks that are not its own.
#pragma once

#include <allot/core/checks.hpp>
#include <allot/core/memory_source.hpp>
#include <allot/core/poison.hpp>
#include <allot/source/block_counters.hpp>
#include <allot/structure/arena.hpp>

namespace allot {

struct reap_options {
    allot::name name = "reap";
    memory_source* upstream = nullptr; // borrowed; nullptr: default_source()
    std::size_t chunk_bytes_min = kibibytes(4);
    std::size_t chunk_bytes_max = mebibytes(1);
    std::uint64_t limit_bytes = usage::unlimited;      // held at most
    std::uint64_t retain_bytes_max = usage::unlimited; // kept by reset() at most
};

class reap final : public memory_source {
public:
    explicit reap(const reap_options& options = {}) noexcept;

    // As in memory_source, without a virtual call.
    [[nodiscard]] void* try_allocate(layout wanted) noexcept;
    [[nodiscard]] void* allocate(layout wanted) {
        void* const block = try_allocate(wanted);
        if (!block) [[unlikely]]
            throw_out_of_memory();
        return block;
    }
    [[nodiscard]] void* allocate(std::size_t size, std::size_t align = alignof(std::max_align_t)) {
        return allocate(layout{size, align});
    }
    void deallocate(void* address, layout given) noexcept;
    void deallocate(void* address, std::size_t size, std::size_t align = alignof(std::max_align_t)) noexcept {
        deallocate(address, layout{size, align});
    }

    void reset() noexcept;   // keeps chunks up to retain_bytes_max
    void release() noexcept; // gives all chunks upstream

    allot::usage
    usage() const noexcept; // exact for the owner; free_bytes holds the lists'. No peak_live_bytes.
    const allot::name& name() const noexcept { return arena_.name(); }
    void check() const noexcept; // fatal unless lists and books agree

private:
    static constexpr std::size_t grain = 16;
    static constexpr std::size_t listed_size_max = 512;

    struct link { // in the first bytes of a block that waits
        link* next;
        std::uintptr_t check; // at level on: the block's address, mixed with the reap's
    };

    static bool is_listed(layout block) noexcept {
        return block.size - 1 < listed_size_max && block.align <= grain; // a size of 0 is not
    }
    std::uintptr_t mark_of(const void* block) const noexcept {
        return ~(reinterpret_cast<std::uintptr_t>(block) ^ (reinterpret_cast<std::uintptr_t>(this) << 20));
    }
    void* try_allocate_large(layout wanted) noexcept;
    void forget_lists() noexcept;
    allot::usage with_lists(allot::usage of_arena) const noexcept;
    [[noreturn, gnu::cold]] void fatal_block(const void* block, const char* what) const noexcept;

    void* do_try_allocate(layout wanted) noexcept override { return try_allocate(wanted); }
    void do_give_back(void* address, layout given) noexcept override { deallocate(address, given); }
    source_traits do_traits() const noexcept override { return {.bulk_free = true}; }
    source_description do_describe() const noexcept override;

    arena arena_;
    link* lists_[listed_size_max / grain] = {}; // [i]: blocks of (i + 1) · grain bytes
    // live == total - gone; waiting_bytes == the sum of the lists.
    detail::owned_counter total_bytes_, total_count_, gone_bytes_, gone_count_, waiting_bytes_;
};

inline void* reap::try_allocate(layout wanted) noexcept {
    if (!is_listed(wanted)) [[unlikely]]
        return try_allocate_large(wanted);
    const std::size_t index = (wanted.size - 1) / grain;
    const std::size_t size = (index + 1) * grain;
    link* const waiting = lists_[index];
    void* block = waiting;
    if (waiting) {
        mark_live(waiting, sizeof *waiting);
        if constexpr (checks >= check_level::on)
            if (waiting->check != mark_of(waiting)) [[unlikely]]
                fatal_block(waiting, " was written to after it was given back");
        lists_[index] = waiting->next;
        if constexpr (checks >= check_level::on)
            waiting->check = 0; // a live block does not look like one that waits
        waiting_bytes_.add(0 - size);
        mark_fresh(block, wanted.size);
    } else {
        block = arena_.try_allocate({size, grain});
        if (!block) [[unlikely]]
            return nullptr;
        // The room may have waited in a list before a reset.
        if constexpr (checks >= check_level::on) ::new (block) link{nullptr, 0};
        mark_dead(static_cast<std::byte*>(block) + wanted.size, size - wanted.size);
    }
    total_bytes_.add(wanted.size);
    total_count_.add(1);
    return block;
}

inline void reap::deallocate(void* address, layout given) noexcept {
    if (!address) return;
    given.size += given.size == 0;
    gone_bytes_.add(given.size);
    gone_count_.add(1);
    if (!is_listed(given)) [[unlikely]]
        return arena_.deallocate(address, given);
    const std::size_t index = (given.size - 1) / grain;
    const std::size_t size = (index + 1) * grain;
    auto* const block = static_cast<link*>(address);
    if constexpr (checks >= check_level::on) {
        mark_live(address, size); // of a block that waits, too, so that it is named below
        std::uintptr_t check = 0;
        __builtin_memcpy(&check, &block->check, sizeof check); // the caller's bytes, of whatever type
        if (check == mark_of(block)) [[unlikely]]
            fatal_block(block, " is given back twice");
    }
    mark_dead(block, size);
    mark_live(block, sizeof *block);
    ::new (address) link{lists_[index], mark_of(block)};
    lists_[index] = block;
    waiting_bytes_.add(size);
    if constexpr (poisons) detail::mark_dead(block, sizeof *block, false); // what the link says must last
}

} // namespace allot
