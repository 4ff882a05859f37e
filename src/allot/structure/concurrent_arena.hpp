// concurrent_arena: one arena that many threads allocate from, whose blocks all go at once.
//
// Use it for what several threads build together and what dies together: a parallel parse, a graph, a frame.
// For memory of each thread's own take an arena per thread, or scratch; for blocks that come and go singly
// concurrent_pool.
// A thread takes parts of the common chunks and bumps in its own part, without a lock or an atomic operation;
// large blocks, and those of threads beyond 128, come from the chunks under the lock. Rests of parts are lost
// until the reset: a quarter of each at most, and that of each thread's newest part.
// Owns its chunks, borrows upstream.
// Threads: allocate, deallocate, usage() and describe() from any. reset(), release() and the end only while
// no other call runs, and after whoever uses a block has heard of it (by a join, a barrier, a lock). At level
// on and full a reset that meets another call in the middle dies; it can't see a call that comes just after.
// What a thread allocated lives on when the thread ends; the next thread to take its slot goes on in its
// part. In the child of a fork the numbers may lack a call that another thread was in.
// Cost, in instructions at level on: an allocation 26, giving back 20. 64 bytes for each thread that came,
// and its part. All threads together are exact when quiet.
//
//     concurrent_arena graph({.name = "graph", .limit_bytes = mebibytes(64)});
//     std::vector<std::thread> builders;
//     for (int i = 0; i < 4; ++i)
//         builders.emplace_back([&graph] { std::pmr::vector<int> edges(1000, 7, &graph); });
//     for (std::thread& each : builders) each.join();
//     assert(graph.usage().total_count == 4);
//     graph.reset(); // all chunks are kept
//
// Fatal:
//     allot: fatal: concurrent_arena 'NAME': its upstream is not thread_safe
// at check level on and full:
//     allot: fatal: concurrent_arena 'NAME': reset while a thread uses it
// and at check level full:
//     allot: fatal: concurrent_arena 'NAME': ADDRESS (N bytes) is not a live block of this arena
#pragma once

#include <allot/core/poison.hpp>
#include <allot/platform/thread_slots.hpp>
#include <allot/source/block_counters.hpp>
#include <allot/structure/arena.hpp>
#include <atomic>

namespace allot {

struct concurrent_arena_options {
    allot::name name = "concurrent_arena";
    memory_source* upstream = nullptr; // borrowed, thread_safe; nullptr: default_source()
    std::size_t chunk_bytes_min = kibibytes(64);
    std::size_t chunk_bytes_max = mebibytes(1);
    bool huge_pages = false;
    std::size_t part_bytes_max =
        kibibytes(32); // a thread's parts: 1 KiB, twice as much each time, up to this
    std::uint64_t limit_bytes = usage::unlimited;      // of the chunks together
    std::uint64_t retain_bytes_max = usage::unlimited; // kept by reset() at most
};

class concurrent_arena final : public memory_source {
public:
    // Expects: upstream is thread_safe. Takes no memory until the first allocation.
    explicit concurrent_arena(const concurrent_arena_options& options = {}) noexcept;
    ~concurrent_arena() override;

    // As in memory_source, without a virtual call.
    [[nodiscard]] void* try_allocate(layout wanted) noexcept { return bump(wanted.size, wanted.align); }
    [[nodiscard]] void* allocate(layout wanted) { return allocate(wanted.size, wanted.align); }
    [[nodiscard]] void* allocate(std::size_t size, std::size_t align = alignof(std::max_align_t)) {
        void* const block = bump(size, align);
        if (!block) [[unlikely]]
            throw_out_of_memory();
        return block;
    }
    // This thread's newest block is free at once, any other at the reset.
    void deallocate(void* address, layout given) noexcept { deallocate(address, given.size, given.align); }
    void deallocate(void* address, std::size_t size, std::size_t = alignof(std::max_align_t)) noexcept {
        if (address) give_back(static_cast<std::byte*>(address), size + (size == 0));
    }

    // Ends. Only while no other call runs (see Threads).
    void reset() noexcept;   // keeps chunks up to retain_bytes_max
    void release() noexcept; // gives all chunks upstream

    // Exact when quiet. peak_live_bytes as of resets and calls of usage(). slack_bytes holds the parts'
    // rests.
    allot::usage usage() const noexcept;
    std::uint64_t reset_count() const noexcept { return reset_count_.load(); }
    const allot::name& name() const noexcept { return options_.name; }
    void check() const noexcept; // fatal unless the books close; while quiet

private:
    // One thread's. Written by the holder of the slot alone, but for reset().
    struct alignas(64) cell {
        std::byte* cursor = nullptr; // the part's free bytes are [cursor, end)
        std::byte* end = nullptr;
        std::byte* begin = nullptr;
        std::size_t part_bytes = 0; // of the newest part
        detail::owned_counter total_bytes, total_count, gone_bytes, gone_count;
    };
    static_assert(sizeof(detail::owned_counter) == 8);

    void* do_try_allocate(layout wanted) noexcept override { return bump(wanted.size, wanted.align); }
    void do_give_back(void* address, layout given) noexcept override {
        give_back(static_cast<std::byte*>(address), given.size);
    }
    bool do_try_resize(void* address, layout given, std::size_t new_size) noexcept override;
    source_traits do_traits() const noexcept override { return {.thread_safe = true, .bulk_free = true}; }
    source_description do_describe() const noexcept override;

    cell* own() const noexcept { return cells_[detail::thread_slot()].load(std::memory_order_relaxed); }
    void* bump(std::size_t size, std::size_t align) noexcept;
    void give_back(std::byte* block, std::size_t size) noexcept;
    [[gnu::cold, gnu::noinline]] void* allocate_slow(std::size_t size, std::size_t align) noexcept;
    [[gnu::cold, gnu::noinline]] void give_back_slow(std::byte* block, std::size_t size) noexcept;
    cell* try_make_cell() noexcept;                         // under mutex_
    bool try_take_part(cell& of, layout wanted) noexcept;   // under mutex_
    void* take_shared(cell& books, layout wanted) noexcept; // under mutex_
    void end_parts() noexcept;                              // under mutex_
    void expect_quiet() noexcept;                           // under mutex_, after end_parts
    template <class Visit>
    void for_each_cell(Visit visit) const noexcept; // nobodys_, too
    allot::usage usage_locked() const noexcept;

    const concurrent_arena_options options_; // upstream is never null
    std::atomic<cell*> cells_[detail::thread_slot_count + 1] = {};
    mutable detail::fork_mutex mutex_; // guards all below, and the writing of cells_
    arena shared_;                     // the chunks; its blocks are parts, and blocks too large for parts
    mutable cell nobodys_;             // the books of threads without a slot
    detail::owned_counter refused_count_;
    detail::owned_counter reset_count_;
    mutable detail::owned_counter peak_live_bytes_;
};

// One compare takes sizes of 0 and all that do not fit to the slow path; see arena::bump.
inline void* concurrent_arena::bump(std::size_t size, std::size_t align) noexcept {
    cell* const mine = own();
    if (!mine) [[unlikely]]
        return allocate_slow(size, align);
    const auto end = reinterpret_cast<std::uintptr_t>(mine->end);
    const auto cursor = reinterpret_cast<std::uintptr_t>(mine->cursor);
    const auto begin = align_up(cursor, std::uintptr_t{align});
    if (begin > end || begin < cursor || size - 1 >= end - begin) [[unlikely]]
        return allocate_slow(size, align);
    auto* const block = reinterpret_cast<std::byte*>(begin);
    mine->cursor = block + size;
    mine->total_bytes.add(size);
    mine->total_count.add(1);
    mark_fresh(block, size);
    return block;
}

inline void concurrent_arena::give_back(std::byte* block, std::size_t size) noexcept {
    cell* const mine = own();
    if (!mine || checks == check_level::full) [[unlikely]]
        return give_back_slow(block, size);
    mine->gone_bytes.add(size);
    mine->gone_count.add(1);
    mark_dead(block, size);
    // The compare with begin: another thread's block may end where this thread's part begins.
    if (block + size == mine->cursor && block >= mine->begin) mine->cursor = block;
}

} // namespace allot
