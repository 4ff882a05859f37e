// live_table: the live blocks of one process, by address.
//
// A shadow index, not a hash: address >> 32 finds a region, bits 12 … 31 a page of 256 slots, one for each 16
// bytes. Addresses that are 8 but not 16 apart (jemalloc's smallest class) live in a second plane of the same
// form. Use it for addresses of allocated blocks; for sparse integers use a hash table.
// Owns its memory (mmap, straight). Threads: one. Cost: find and insert about 3 ns hot, three dependent
// loads, two cache misses cold; 16 bytes of memory for each 16 bytes of the target's pages that hold live
// blocks. Every call answers for any address below 2^47; others are never found and cannot be inserted.
//
//     live_table table;
//     live_table::place at = table.reserve(0x5555'0010);   // {} when there is no memory
//     table.fill(at, {.size = 24, .row = 7, .thread = 1});
//     table.find(0x5555'0010).block().size;                // 24
//     table.erase(table.find(0x5555'0010));
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace allot::recorder {

struct live_block {
    std::uint64_t size = 0;
    std::uint32_t row = 0;    // of the context, see tables.hpp
    std::uint32_t thread = 0; // that allocated it, likewise
};

class live_table {
    // Invariant: `live` slots of a page have a mark; a page on the free list is all zero behind its header.
    struct slot {
        std::uint64_t mark = 0; // 0: none; else 2 × size + 1
        std::uint32_t row = 0, thread = 0;
    };
    static constexpr std::size_t slots = 256;
    struct page {
        std::uint64_t address; // of what it stands for
        page** home;           // the pointer that leads here
        page* next_free;
        std::uint32_t live;
        std::uint32_t plane;
        char padding[32];
        slot entries[slots];
    };

public:
    // Where a block is or would be; false where there is no such place.
    class place {
    public:
        explicit operator bool() const noexcept { return slot_ != nullptr; }
        bool live() const noexcept { return slot_->mark != 0; }
        // Expects: live.
        live_block block() const noexcept { return {slot_->mark >> 1, slot_->row, slot_->thread}; }

    private:
        friend class live_table;
        page* page_ = nullptr;
        slot* slot_ = nullptr;
    };

    live_table() = default;
    live_table(const live_table&) = delete;
    live_table& operator=(const live_table&) = delete;
    ~live_table() { clear(); }

    // The live block at an address, if any.
    place find(std::uint64_t address) const noexcept {
        place at;
        page** home = home_of(address);
        if (home == nullptr || *home == nullptr) return at;
        slot* entry = &(*home)->entries[address >> 4 & (slots - 1)];
        if (entry->mark == 0) return at;
        at.page_ = *home;
        at.slot_ = entry;
        return at;
    }

    // The place of an address, live or not. Until it is filled, the next call may give its page away.
    place reserve(std::uint64_t address) noexcept {
        place at;
        page** home = home_of(address);
        if (home == nullptr || *home == nullptr) [[unlikely]] {
            home = new_page(address);
            if (home == nullptr) return at;
        }
        at.page_ = *home;
        at.slot_ = &at.page_->entries[address >> 4 & (slots - 1)];
        return at;
    }

    // Expects: the place is not live. Sizes above 2^63 are cut.
    void fill(place at, const live_block& block) noexcept {
        *at.slot_ = {block.size << 1 | 1, block.row, block.thread};
        ++at.page_->live;
        ++count_;
    }

    // Expects: the place is live.
    void erase(place at) noexcept {
        *at.slot_ = {};
        --count_;
        if (--at.page_->live == 0) free_page(at.page_);
    }

    // Starts loading what find(address) will read.
    void prefetch(std::uint64_t address) const noexcept {
        page** home = home_of(address);
        if (home == nullptr || *home == nullptr) return;
        __builtin_prefetch(&(*home)->entries[address >> 4 & (slots - 1)], 1);
        __builtin_prefetch(*home, 1);
    }

    // f(address, block) for each, in no order. Expects: f does not change the table.
    template <class F>
    void for_each(F&& f) const {
        for (const auto& [first, count] : chunks_)
            for (const page* at = first; at != first + count; ++at) {
                if (at->live == 0) continue;
                for (std::size_t index = 0; index < slots; ++index)
                    if (const slot& entry = at->entries[index]; entry.mark != 0)
                        f(at->address + index * 16 + at->plane * 8,
                          live_block{entry.mark >> 1, entry.row, entry.thread});
            }
    }

    void clear() noexcept; // forgets all blocks and gives the memory back
    std::size_t count() const noexcept { return count_; }
    std::size_t memory_bytes() const noexcept { return memory_bytes_; } // of pages, directories apart

    // Whether the invariants hold; slow.
    bool check() const;

private:
    static constexpr std::size_t regions = std::size_t{1} << 15; // 4 GiB each
    static constexpr std::size_t region_pages = std::size_t{1} << 20;

    page** home_of(std::uint64_t address) const noexcept {
        if (directory_ == nullptr || address >> 47 != 0) [[unlikely]]
            return nullptr;
        page** region = directory_[(address >> 3 & 1) * regions + (address >> 32)];
        return region == nullptr ? nullptr : region + (address >> 12 & (region_pages - 1));
    }
    page** new_page(std::uint64_t address) noexcept;
    void free_page(page* emptied) noexcept {
        *emptied->home = nullptr;
        emptied->next_free = free_;
        free_ = emptied;
    }

    page*** directory_ = nullptr; // [2 × regions] → [region_pages] → page, each null until reached
    page* free_ = nullptr;
    std::size_t count_ = 0;
    std::size_t memory_bytes_ = 0;
    std::vector<std::pair<page*, std::size_t>> chunks_; // with the number of pages taken from each
    std::size_t chunk_pages_ = 0;                       // capacity of the last
};

} // namespace allot::recorder
