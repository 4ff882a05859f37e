// segment_view: where the parts of a mapped segment lie, after every offset in its header was checked.
//
// Use it once, at the attach, on a mapping whose size is known. Not for the collector, which makes the
// segment. Borrows the mapping. Threads: read() on one; the accessors from any. Cost: read() some dozen
// comparisons.
//
//     segment_view segment;
//     if (!segment.read(base, file_bytes)) return passive(); // not ours, or broken: say nothing, count nothing
//     segment.header->heartbeat;
#pragma once

#include <cstddef>
#include <cstdint>
#include <recorder/wire.h>

namespace allot::recorder {

struct segment_view {
    allot_wire_header* header = nullptr;
    char* process_base = nullptr;
    char* thread_base = nullptr;
    char* source_base = nullptr;
    char* ring_base = nullptr;
    char* ring_words_base = nullptr;
    char* page_base = nullptr;
    std::uint64_t ring_words = 0;
    std::uint32_t process_count = 0, process_entry_bytes = 0;
    std::uint32_t thread_count = 0, thread_entry_bytes = 0;
    std::uint32_t source_count = 0, source_entry_bytes = 0;
    std::uint32_t ring_count = 0, ring_header_bytes = 0;
    std::uint32_t page_count_max = 0;

    // False, and all as before, if this is not a whole segment of this version.
    bool read(void* base, std::uint64_t file_bytes) noexcept;

    // Expects: index below the count.
    allot_wire_process* process(std::uint32_t index) const noexcept {
        return reinterpret_cast<allot_wire_process*>(process_base +
                                                     std::uint64_t{index} * process_entry_bytes);
    }
    allot_wire_thread* thread(std::uint32_t index) const noexcept {
        return reinterpret_cast<allot_wire_thread*>(thread_base + std::uint64_t{index} * thread_entry_bytes);
    }
    allot_wire_source* source(std::uint32_t index) const noexcept {
        return reinterpret_cast<allot_wire_source*>(source_base + std::uint64_t{index} * source_entry_bytes);
    }
    allot_wire_ring* ring(std::uint32_t index) const noexcept {
        return reinterpret_cast<allot_wire_ring*>(ring_base + std::uint64_t{index} * ring_header_bytes);
    }
    std::uint64_t* words_of_ring(std::uint32_t index) const noexcept {
        return reinterpret_cast<std::uint64_t*>(ring_words_base) + index * ring_words;
    }
    allot_wire_page* page(std::uint32_t index) const noexcept {
        return reinterpret_cast<allot_wire_page*>(page_base + std::uint64_t{index} * ALLOT_WIRE_PAGE_BYTES);
    }
    // Expects: a real node's id, whose page was handed out.
    allot_wire_node* node(std::uint32_t id) const noexcept {
        return reinterpret_cast<allot_wire_node*>(page(id / ALLOT_WIRE_NODES_PER_PAGE)) +
               id % ALLOT_WIRE_NODES_PER_PAGE;
    }
    // No thread entry from here on was ever claimed.
    std::uint32_t thread_end() const noexcept {
        const std::uint32_t end = __atomic_load_n(&header->thread_end, __ATOMIC_ACQUIRE);
        return end < thread_count ? end : thread_count;
    }
    bool stopped() const noexcept { return __atomic_load_n(&header->stop, __ATOMIC_RELAXED) != 0; }
};

// Takes the first free one of `count` entries from `hint` on, the end joined to the beginning, and says which.
// `at` answers the entry for an index. Null: none is free.
template <class At>
auto claim_free(std::uint32_t count, std::uint32_t hint, std::uint32_t& index, At&& at) noexcept
    -> decltype(at(index)) {
    for (std::uint32_t i = 0; i != count; ++i) {
        index = (hint + i) % count;
        auto* entry = at(index);
        std::uint32_t expected = ALLOT_FREE;
        if (__atomic_load_n(&entry->state, __ATOMIC_RELAXED) == ALLOT_FREE &&
            __atomic_compare_exchange_n(&entry->state, &expected, ALLOT_CLAIMED, false, __ATOMIC_ACQ_REL,
                                        __ATOMIC_RELAXED))
            return entry;
    }
    return nullptr;
}

} // namespace allot::recorder
