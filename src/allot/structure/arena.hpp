// arena: bump allocation: blocks of any size that go all at once.
//
// Use it for what dies together: a request, a parse tree, a frame, a pass of a compiler. Not for objects of
// one size that come and go (pool), for handles that outlive their object (slot_map), for blocks that die
// one by one in no order (malloc_source): what is given back out of order becomes free only with the rest.
// Owns its chunks, borrows upstream, `above` and the caller's first chunk. May be moved: blocks stay where
// they are; what holds the arena's address (a container, a scope) must not be in use then.
// Threads: thread-compatible; nothing here is thread-local, so a scope may end on another thread than it
// began on (a coroutine's) and ends its own. describe() and reclaim() from any thread; describe() is behind
// by what the current chunk holds (usage().behind_bytes_max).
// Cost, in instructions at level on: an allocation 13, 23 behind std::pmr, a scope 310 and 64 bytes
// while it is open. A chunk spends 112 bytes on itself. Blocks are packed: the only padding is
// alignment.
//
// Blocks that are given back count as free bytes only where they were the newest; else they are slack until
// the rewind or reset. usage() fills live, peak, total, refused, held, slack, free, limit and behind;
// held_bytes and the limit count the caller's first chunk, too.
//
//     arena request({.name = "request", .chunk_bytes_min = kibibytes(16)});
//     node* head = request.make<node>(node{.value = 1});
//     std::string_view line = request.copy("GET /index.html");
//     std::span<int> row = request.make_span<int>(100);
//     {
//         arena::scope step(request);
//         std::pmr::vector<int> numbers(1000, 7, &request);
//     } // the bytes of numbers are free again
//     assert(request.usage().live_count == 3);
//     request.reset(); // all is dead, every chunk is kept for the next request
//
// Fatal, at check level on (the last two always):
//     allot: fatal: arena 'NAME': ADDRESS (N bytes) is not a live block of this arena
//     allot: fatal: arena 'NAME': ADDRESS is given back with N bytes and has M
//     allot: fatal: arena 'NAME': rewind to a mark that is dead or of another arena
//     allot: fatal: arena 'NAME': rewind past an open scope
//     allot: fatal: arena 'NAME': a scope ends before a newer one
//     allot: fatal: arena 'NAME': reset (or release, move, end) with N open scopes
//     allot: fatal: arena 'NAME': reset (or release, rewind) by a destructor that the arena runs
//     allot: fatal: arena 'NAME': an alignment of N is not a power of two
//     allot: fatal: arena 'NAME': absorbs 'NAME' of another upstream (or bulk_observer)
//     allot: fatal: arena 'NAME': chunks of M bytes at most and of N at least
#pragma once

#include <algorithm>
#include <allot/core/bulk_observer.hpp>
#include <allot/core/memory_source.hpp>
#include <allot/core/poison.hpp>
#include <allot/core/reclaimable.hpp>
#include <allot/core/result.hpp>
#include <allot/structure/arena_parts.hpp>
#include <atomic>
#include <concepts>
#include <memory>
#include <new>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>

namespace allot {

struct arena_options {
    allot::name name = "arena";
    memory_source* upstream = nullptr;     // borrowed; nullptr: default_source()
    std::span<std::byte> first_chunk = {}; // borrowed, used first; ignored below 256 bytes
    std::size_t chunk_bytes_min = kibibytes(4);
    std::size_t chunk_bytes_max = mebibytes(2); // each chunk is twice the one before, up to this
    bool huge_pages =
        false; // chunks of 2 MiB or more are aligned to 2 MiB; over default_source() they always are
    std::uint64_t limit_bytes = usage::unlimited;      // held at most
    std::uint64_t retain_bytes_max = usage::unlimited; // kept by reset() at most, besides the first chunk
    bulk_observer* above = nullptr;                    // borrowed; all blocks go through it
};

// A place in an arena to rewind to. Dead once the arena was rewound to an older one, reset or released; a
// move of the arena keeps it alive.
class arena_mark {
    friend class arena;
    detail::arena_frame* frame_ = nullptr; // nullptr: the arena's beginning
    std::uint64_t serial_ = 0;
    std::uint64_t open_scopes_ = 0;
};

class arena final : public memory_source, public reclaimable, private detail::arena_state {
public:
    class scope;

    // Takes no memory until the first allocation.
    arena() noexcept : arena(arena_options{}) {}
    explicit arena(const arena_options& options) noexcept;
    arena(arena&& from) noexcept; // `from` is an empty arena without a first chunk then
    arena& operator=(arena&&) = delete;
    ~arena() override;

    // Blocks. As in memory_source, without a virtual call. Alignment is that of max_align_t unless asked.
    [[nodiscard]] void* try_allocate(layout wanted) noexcept {
        return bump<&arena::try_refill>(wanted.size, wanted.align);
    }
    [[nodiscard]] void* allocate(layout wanted) {
        return bump<&arena::refill_or_throw>(wanted.size, wanted.align);
    }
    [[nodiscard]] void* allocate(std::size_t size, std::size_t align = alignof(std::max_align_t)) {
        return allocate(layout{size, align});
    }
    [[nodiscard]] result<void*> allocate_or_error(layout wanted) noexcept;
    // The newest block's bytes are free at once, another's at the next rewind or reset.
    void deallocate(void* address, layout given) noexcept { deallocate(address, given.size, given.align); }
    void deallocate(void* address, std::size_t size, std::size_t = alignof(std::max_align_t)) noexcept {
        give_back(static_cast<std::byte*>(address), size + (size == 0));
    }
    // The newest block grows in place while its chunk has room; any block shrinks.
    [[nodiscard]] bool try_resize(void* address, layout given, std::size_t new_size) noexcept;

    // Objects. make and try_make take only what needs no destructor. make_owned runs it at the rewind, reset
    // or release that ends the object, newest first; 32 bytes each. make_undestroyed never runs it: whoever
    // calls that says that nothing is lost.
    template <class T, class... Args>
    T* make(Args&&... args);
    template <class T, class... Args>
    [[nodiscard]] T* try_make(Args&&... args) noexcept(std::is_nothrow_constructible_v<T, Args...>);
    template <class T, class... Args>
    [[nodiscard]] result<T*>
    make_or_error(Args&&... args) noexcept(std::is_nothrow_constructible_v<T, Args...>);
    template <class T, class... Args>
    T* make_owned(Args&&... args);
    template <class T, class... Args>
    [[nodiscard]] T* try_make_owned(Args&&... args) noexcept(std::is_nothrow_constructible_v<T, Args...>);
    template <class T, class... Args>
    T* make_undestroyed(Args&&... args);

    // `count` value-initialised items. The empty form answers a span with data() == nullptr.
    template <class T>
    std::span<T> make_span(std::size_t count);
    template <class T>
    [[nodiscard]] std::span<T> try_make_span(std::size_t count) noexcept;

    // Copies. A zero byte stands behind a text's last. The empty form answers with data() == nullptr.
    std::string_view copy(std::string_view text);
    [[nodiscard]] std::string_view try_copy(std::string_view text) noexcept;
    template <class T>
    std::span<std::remove_const_t<T>> copy(std::span<T> items);
    template <class T>
    [[nodiscard]] std::span<std::remove_const_t<T>> try_copy(std::span<T> items) noexcept;

    // Ends. Each runs the destructors of what dies, tells `above`, and calls upstream only as it says.
    // None can fail; a mark takes 64 bytes of the current chunk at most, and none where nothing was allocated
    // since the newest.
    [[nodiscard]] arena_mark mark() noexcept;
    void rewind(arena_mark to) noexcept; // `to` stays alive; all chunks are kept
    void reset() noexcept;               // keeps chunks up to retain_bytes_max
    void release() noexcept;             // gives all chunks upstream

    // Takes over all of the other's blocks and destructors, with the chunks that they stand in, as if they
    // had been allocated here just now: they end with what is open here, and may be given back here. `from`
    // is as after a reset, its marks dead; a first chunk goes along while blocks stand in it. Nothing is
    // copied. Both arenas must be the calling thread's for the time of the call. False, and nothing changed,
    // where this arena's limit has no room for the chunks (which is noted as a refusal).
    [[nodiscard]] bool try_absorb(arena& from) noexcept;

    // Numbers. Exact for the owner; describe() is for the others.
    allot::usage usage() const noexcept;
    std::uint64_t reset_count() const noexcept { return reset_count_; }
    const allot::name& name() const noexcept { return options_.name; }
    memory_source& upstream() const noexcept { return *options_.upstream; }
    bool owns(const void* address) const noexcept; // of a block, dead or alive, that no rewind or reset ended
    void check() const noexcept;                   // fatal unless the invariants of arena_parts.hpp hold

    // The wish is honoured at the next slow path, rewind or reset: unused chunks go upstream. Always 0.
    reclaim_manner manner() const noexcept override { return reclaim_manner::deferred; }
    std::uint64_t reclaim(reclaim_request wish) noexcept override;

private:
    struct undo;
    struct numbers { // what describe() reads; written where held_bytes changes and blocks end in bulk
        std::atomic<std::uint64_t> total_bytes{0}, total_count{0}, peak_live{0}, refused{0}, held{0},
            peak_held{0}, held_count{0}, free{0}, behind{0};
    };

    void* do_allocate(std::size_t size, std::size_t align) override;
    void do_deallocate(void* address, std::size_t size, std::size_t) override {
        if (address) give_back(static_cast<std::byte*>(address), size + (size == 0));
    }
    void* do_try_allocate(layout wanted) noexcept override {
        return bump<&arena::try_refill>(wanted.size, wanted.align);
    }
    void do_give_back(void* address, layout given) noexcept override {
        give_back(static_cast<std::byte*>(address), given.size);
    }
    bool do_try_resize(void* address, layout given, std::size_t new_size) noexcept override {
        return try_resize(address, given, new_size);
    }
    source_traits do_traits() const noexcept override { return {.bulk_free = true}; }
    source_description do_describe() const noexcept override;

    template <auto Refill>
    void* bump(std::size_t size, std::size_t align);
    [[gnu::cold, gnu::noinline]] bool try_refill(std::size_t size, std::size_t align) noexcept;
    [[gnu::cold, gnu::noinline]] bool refill_or_throw(std::size_t size, std::size_t align);
    [[gnu::noinline]] void* allocate_out_of_line(std::size_t size, std::size_t align);
    void fold_tally() noexcept;
    void give_back(std::byte* block, std::size_t size) noexcept;
    void give_back_elsewhere(std::byte* block, std::size_t size, std::uint64_t count) noexcept;
    void settle(std::size_t size, std::uint64_t count) noexcept;
    void check_newest(const std::byte* block, std::size_t size) const noexcept;
    [[noreturn, gnu::cold]] void fatal_alignment(std::size_t align) const noexcept;
    [[noreturn, gnu::cold]] void fatal_block(const void* block, std::size_t size) const noexcept;

    // Chunks.
    detail::arena_chunk* try_take_chunk(layout wanted) noexcept;
    detail::arena_chunk* try_grow(layout wanted) noexcept;
    detail::arena_chunk* adopt(std::byte* memory, std::size_t size, std::size_t align) noexcept;
    detail::arena_chunk* find_chunk(const std::byte* address, std::size_t size) const noexcept;
    void enter(detail::arena_chunk* fresh, layout wanted) noexcept;
    void open(detail::arena_chunk* chunk) noexcept;
    void go_on_in(detail::arena_chunk* chunk, std::byte* position) noexcept;
    void open_window(std::size_t needed) noexcept;
    void settle_parked() noexcept;
    std::byte* room_end() const noexcept; // of the current chunk; end_ may be nearer
    std::uint64_t room() const noexcept { return static_cast<std::uint64_t>(room_end() - cursor_); }
    std::uint64_t free_bytes() const noexcept;
    void open_oldest_spare() noexcept;
    void drop_chunks(const detail::arena_frame* to) noexcept;
    detail::arena_chunk* unlink_spare(detail::arena_chunk** link) noexcept;
    void give_upstream(detail::arena_chunk* chunk) noexcept;
    void trim_spares(std::uint64_t keep_bytes_max) noexcept;
    bool at_beginning() const noexcept;
    void take_books(arena& from) noexcept;
    void take_chunks(arena& from) noexcept;
    bool honour_wish() noexcept; // whether it gave anything upstream
    void refuse(layout wanted) noexcept;
    static error refusal_error() noexcept; // last_refusal() in words

    // Marks.
    bool at_newest_mark() const noexcept;
    void stand_behind(detail::arena_frame* mark) noexcept;
    void stand_before(detail::arena_frame* mark) noexcept;
    detail::arena_frame* checked(arena_mark mark) const noexcept;
    void end_blocks(const detail::arena_frame* to) noexcept;
    void rewind_to(detail::arena_frame* to, bool drop_mark) noexcept;
    void end_everything() noexcept; // leaves every chunk spare
    bool keeps_all_at_reset() const noexcept;
    void start_over() noexcept;
    void check_can_end(const char* what) const noexcept;
    detail::arena_owned* try_reserve_owned() noexcept;
    void own(detail::arena_owned* entry, void* object, void (*destroy)(void*) noexcept) noexcept;

    std::uint64_t total_bytes() const noexcept {
        return total_bytes_ + (static_cast<std::uint64_t>(tally_) & (detail::arena_tally_one - 1));
    }
    std::uint64_t total_count() const noexcept {
        return total_count_ + (static_cast<std::uint64_t>(tally_) >> detail::arena_tally_count_shift);
    }
    std::uint64_t live_bytes() const noexcept {
        return total_bytes() - gone_bytes_.load(std::memory_order_relaxed);
    }
    std::uint64_t live_count() const noexcept {
        return total_count() - gone_count_.load(std::memory_order_relaxed);
    }
    void publish() noexcept;
    void tell_client() noexcept;

    std::atomic<std::uint64_t> gone_bytes_{0}; // live == total - gone; written by the owner alone
    std::atomic<std::uint64_t> gone_count_{0};
    std::atomic<std::uint64_t> wish_bytes_{0};
    numbers published_;
    arena_options options_; // upstream is never null
};

// Ends what was allocated since it began. Scopes of one arena end in the reverse order of their beginning;
// one that ends in another order, or whose arena was reset meanwhile, is a bug and fatal. Never throws.
class arena::scope {
public:
    explicit scope(arena& of) noexcept;
    ~scope();
    scope(const scope&) = delete;
    scope& operator=(const scope&) = delete;

private:
    arena& arena_;
    arena_mark mark_;
    bool own_mark_; // else it is an older one at the same place
};

} // namespace allot

#include <allot/structure/arena_inline.hpp>
