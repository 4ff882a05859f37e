// chunk_cache_source: keeps the chunks that arenas and pools give back, per thread, for the next who asks.
//
// Use it under what takes memory in chunks and lives shortly: with it a new arena costs neither malloc nor a
// page fault. default_source() is one over malloc. Not for objects (pool) or blocks of any size
// (malloc_source): only blocks of exactly 4 KiB, 8 KiB … 2 MiB at the alignment of max_align_t, and of
// {2 MiB, align 2 MiB}, are chunks; everything else passes straight through, and is in no number but refused.
// Owns the chunks that it keeps and 3 KiB for each thread slot that used it; borrows upstream, which must be
// thread-safe. A thread keeps chunks up to thread_kept_bytes_max; what is more goes to a depot that all share,
// then upstream; all together keep no more than kept_bytes_max, first come, first served: what a thread once
// needed of it stays its own until trim(). Chunks of a thread that ended are used by the next thread that
// starts. Where upstream refuses, all that is kept goes upstream and it is asked once more.
// Threads: any; after a fork the child finds everything whole.
// Cost: a hit or a kept chunk is an uncontended lock and some 50 instructions; two where it meets the depot.
//
// usage() fills live, total, refused, held and free, of chunks alone; exact when no call runs.
//
//     malloc_source heap;
//     chunk_cache_source chunks(heap, {.name = "request chunks", .thread_kept_bytes_max = mebibytes(1),
//                                      .kept_bytes_max = mebibytes(4)});
//     for (int request = 0; request < 3; ++request) {
//         void* chunk = chunks.try_allocate({.size = kibibytes(16)});
//         assert(chunk != nullptr);
//         chunks.deallocate(chunk, {.size = kibibytes(16)});
//     }
//     assert(chunks.counts().hits == 2 && chunks.usage().free_bytes == kibibytes(16));
//     chunks.trim(); // all of it goes upstream
//
// Fatal, at check level on:
//     allot: fatal: chunk_cache_source 'NAME': its upstream 'NAME' is not thread-safe
#pragma once

#include <allot/core/memory_source.hpp>
#include <allot/core/name.hpp>
#include <allot/core/reclaimable.hpp>
#include <allot/platform/thread_slots.hpp>
#include <allot/source/block_counters.hpp>
#include <array>
#include <atomic>

namespace allot {

struct chunk_cache_options {
    allot::name name = "chunks";
    std::size_t thread_kept_bytes_max = kibibytes(256);
    std::size_t kept_bytes_max = kibibytes(512); // of all threads and the depot together
};

struct chunk_cache_counts {
    std::uint64_t hits = 0;    // served from what was kept
    std::uint64_t misses = 0;  // served by upstream
    std::uint64_t spilled = 0; // given upstream for want of room, or by trim and reclaim
};

class chunk_cache_source final : public memory_source, public reclaimable {
public:
    static constexpr std::size_t chunk_bytes_min = kibibytes(4);
    static constexpr std::size_t chunk_bytes_max = mebibytes(2);
    // Whether blocks of this layout are kept.
    static constexpr bool is_chunk(layout wanted) noexcept { return kind_of(wanted) != not_kept; }

    explicit chunk_cache_source(memory_source& upstream, const chunk_cache_options& how = {}) noexcept;
    ~chunk_cache_source() override; // blocks that are still out stay as they are

    allot::usage usage() const noexcept;
    chunk_cache_counts counts() const noexcept;
    std::uint64_t kept_bytes() const noexcept { return usage().free_bytes; }

    // What is kept goes upstream; the bytes that went.
    std::uint64_t trim() noexcept { return reclaim({.wanted_bytes = static_cast<std::uint64_t>(-1)}); }
    // From now on nothing is kept: for the end of a program.
    void stop_keeping() noexcept;

    reclaim_manner manner() const noexcept override { return reclaim_manner::concurrent; }
    std::uint64_t reclaim(reclaim_request wish) noexcept override;

private:
    static constexpr unsigned kind_count = 11;
    static constexpr unsigned not_kept = kind_count;
    static constexpr unsigned huge_kind = kind_count - 1;
    static constexpr unsigned kept_of_kind_max = 32;
    struct cell;

    static constexpr unsigned kind_of(layout wanted) noexcept {
        if (!is_power_of_two(wanted.size) || wanted.size < chunk_bytes_min || wanted.size > chunk_bytes_max)
            return not_kept;
        if (wanted.align == alignof(std::max_align_t))
            return static_cast<unsigned>(__builtin_ctzll(wanted.size) - __builtin_ctzll(chunk_bytes_min));
        return wanted.size == chunk_bytes_max && wanted.align == chunk_bytes_max ? huge_kind : not_kept;
    }
    static constexpr layout layout_of_kind(unsigned kind) noexcept {
        if (kind == huge_kind) return {chunk_bytes_max, chunk_bytes_max};
        return {chunk_bytes_min << kind, alignof(std::max_align_t)};
    }

    void* do_try_allocate(layout wanted) noexcept override;
    void do_give_back(void* address, layout given) noexcept override;
    bool do_try_resize(void* address, layout given, std::size_t new_size) noexcept override;
    void* do_try_reallocate(void* address, layout given, std::size_t new_size) noexcept override;
    std::size_t do_good_size(layout wanted) const noexcept override { return upstream_.good_size(wanted); }
    source_traits do_traits() const noexcept override;
    source_description do_describe() const noexcept override;

    cell& own_cell(std::uint32_t& slot) noexcept;
    cell* make_cell(std::uint32_t slot) noexcept;
    void* try_take(std::uint32_t slot, cell& from, unsigned kind) noexcept;
    bool try_keep(std::uint32_t slot, cell& in, unsigned kind, void* chunk, bool last_try) noexcept;
    bool try_widen(cell& it, std::uint32_t slot, std::size_t bytes) noexcept;
    bool try_reserve(std::size_t bytes) noexcept;
    void* take_upstream(layout wanted) noexcept;
    void note_resized(layout given, std::size_t new_size) noexcept;
    std::uint64_t drain(std::uint32_t slot, cell& from, reclaim_request wish) noexcept;
    void give_upstream(void* chunk, unsigned kind) noexcept;
    template <class Visit>
    void for_each_cell(Visit visit) const noexcept;

    memory_source& upstream_;
    std::atomic<std::size_t> thread_kept_bytes_max_;
    std::atomic<std::size_t> kept_bytes_max_;
    std::atomic<std::size_t> reserved_bytes_ = 0; // the sum of the cells' shares
    detail::shared_counter refused_count_;
    std::array<std::atomic<cell*>, detail::thread_slot_count + 1> cells_{}; // the depot stands at 0
    const name name_;
    alignas(64) std::byte depot_[3072];
};

} // namespace allot
