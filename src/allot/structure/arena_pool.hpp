// arena_pool: arenas that are handed out, come back reset, and are handed out again with their chunks.
//
// Use it where operations run on many threads, or move between threads (coroutines, task queues), and each
// needs an arena of its own for its length. For temporaries on one thread take scratch, for one arena for
// ever arena, for other objects that come back object_pool.
// The handle is a pooled<arena>: it gives the arena back, which ends everything in it; take() moves the
// arena's content out of the pool instead. The last arena to come back is the next to go out. One that took
// much keeps retain_bytes_max of it at most, so that a giant one is not kept for ever.
// Owns its arenas; borrows upstream and observer. Outlives its handles.
// Threads: any; an arena that is out is its holder's alone, and may come back on another thread. Arenas are
// reset, made and discarded outside the pool's lock, so that a destructor in an arena may use the pool. The
// pool is whole in the child of a fork; what other threads had out stays out there.
// Cost: acquire and give back together 371 instructions, two locks and the arena's reset. Half a KiB an
// arena, and its chunks.
//
//     arena_pool requests({.name = "request", .kept_count_max = 8});
//     {
//         pooled<arena> request = requests.acquire();
//         std::string_view line = request->copy("GET /index.html");
//         assert(line.size() == 15);
//     } // the arena comes back, empty
//     pooled<arena> next = requests.acquire();
//     assert(requests.counts().hit_rate() == 0.5);
//
// Fatal: allot: fatal: arena_pool 'NAME': its upstream is not thread_safe
// at check level on (an observer is told before that):
//     allot: fatal: arena_pool 'NAME': died with N objects out
#pragma once

#include <allot/core/observer.hpp>
#include <allot/core/reclaimable.hpp>
#include <allot/platform/thread_slots.hpp>
#include <allot/structure/arena.hpp>
#include <allot/structure/object_pool_parts.hpp>
#include <allot/structure/pooled.hpp>

namespace allot {

struct arena_pool_options {
    allot::name name = "arena_pool";   // also of each arena: a report has one row for all of them
    memory_source* upstream = nullptr; // borrowed, thread_safe; nullptr: default_source()
    // Of each arena.
    std::size_t chunk_bytes_min = kibibytes(16);
    std::size_t chunk_bytes_max = mebibytes(1);
    bool huge_pages = false;
    std::uint64_t limit_bytes = usage::unlimited;
    std::uint64_t retain_bytes_max = mebibytes(1); // when it comes back
    // Of the pool.
    std::uint64_t kept_count_max = 16;
    std::uint64_t out_count_max = usage::unlimited;
    allot::observer* observer = nullptr; // borrowed; is told when the pool dies with arenas out
};

class arena_pool final : public reclaimable, detail::object_home<arena> {
public:
    // Makes nothing yet. Expects: upstream is thread_safe.
    explicit arena_pool(const arena_pool_options& options = {}) noexcept;
    ~arena_pool();
    arena_pool(const arena_pool&) = delete;
    arena_pool& operator=(const arena_pool&) = delete;

    // Throws: out_of_memory, also at out_count_max.
    pooled<arena> acquire() {
        pooled<arena> handle = try_acquire();
        if (!handle) [[unlikely]]
            throw_out_of_memory();
        return handle;
    }
    pooled<arena> try_acquire() noexcept; // empty on shortage, with last_refusal()

    // Discards what is kept beyond so many. Answers the bytes that went upstream.
    std::uint64_t trim(std::uint64_t kept_count = 0) noexcept;

    object_counts counts() const noexcept; // exact
    // Of all arenas, out and kept, each as of its last chunk or reset; and what the pool refused.
    allot::usage usage() const noexcept;
    const allot::name& name() const noexcept { return options_.name; }
    void check() const noexcept; // fatal unless the counts agree with the lists

    // Discards kept arenas.
    reclaim_manner manner() const noexcept override { return reclaim_manner::concurrent; }
    std::uint64_t reclaim(reclaim_request wish) noexcept override;

private:
    struct node;
    static node* of(arena* it) noexcept;

    void take_back(arena* used) noexcept override;
    void note_taken(arena* emptied) noexcept override;
    node* try_make() noexcept;
    node* try_unlink_kept(std::uint64_t but) noexcept; // under mutex_
    std::uint64_t discard(node* gone) noexcept;        // without mutex_; answers its bytes
    void unlink(node* gone) noexcept;                  // under mutex_

    const arena_pool_options options_;
    memory_source& upstream_;          // borrowed
    mutable detail::fork_mutex mutex_; // guards all below, the links of nodes included
    node* kept_ = nullptr;             // the newest first
    node* all_ = nullptr;
    object_counts counts_;
};

} // namespace allot
