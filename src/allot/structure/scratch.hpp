// scratch: memory of this thread for the length of a scope; scopes nest and never free each other's memory.
//
// Use it for the temporaries of an operation: what an operation hands out goes to an arena or a scratch of
// its caller, what it needs on the way to one of its own. Not for what outlives the scope (arena), and not
// across a coroutine's suspension: a scope ends on the thread and in the order that it began; take an arena
// of its own from an arena_pool there.
// A thread has a few arenas. A scope takes another one than the scope around it, and none that is named as a
// conflict: name every scratch that the operation allocates from while its own scope is open ("beside").
// What an outer scope asks for while a newer one is open on its arena would die with the newer: that is
// fatal.
// Owns the threads' arenas, which take chunks from a borrowed upstream. An arena whose outermost scope ends
// keeps retain_bytes_max at most; a thread's arenas are continued by a later thread.
// Threads: a scratch is its thread's own; scratch_arenas may be used from any. A thread that ends with a
// scope open leaves its arenas aside for good. A child of fork has its own thread's arenas, and open scopes.
// Cost, in instructions at level on: a scope 400, most of them the arena's reset, and no memory once its
// arena is warm; an allocation 5 over the arena's. A thread's arenas are 1.7 KiB and no chunk before the
// first allocation.
//
//     std::string_view shout(std::string_view text, scratch& out) {
//         auto work = scratch::beside(out);
//         std::span<char> big = work->make_span<char>(text.size()); // gone at the end of shout
//         std::ranges::transform(text, big.begin(), [](char c) { return c == 'a' ? 'A' : c; });
//         return out->copy(std::string_view(big.data(), big.size()));
//     }
//     scratch page;
//     std::string_view title = shout("an arena", page);
//     std::pmr::vector<int> numbers({1, 2, 3}, &page);
//     assert(title == "An ArenA"); // until the end of page
//
// Fatal:
//     allot: fatal: scratch 'NAME': a scope ends on another thread than it began on
//     allot: fatal: scratch 'NAME': a scope ends before a newer one
//     allot: fatal: scratch 'NAME': a conflict with each of this thread's N arenas
//     allot: fatal: scratch 'NAME': ends with N open scopes
//     allot: fatal: scratch 'NAME': its upstream is not thread_safe
// and at check level on:
//     allot: fatal: scratch 'NAME': a scope is used on another thread than it began on
//     allot: fatal: scratch 'NAME': an outer scope is used while a newer one is open on its arena
#pragma once

#include <allot/core/checks.hpp>
#include <allot/platform/thread_slots.hpp>
#include <allot/structure/arena.hpp>
#include <array>
#include <atomic>
#include <optional>

namespace allot {

struct scratch_options {
    allot::name name = "scratch";
    memory_source* upstream = nullptr;             // borrowed, thread_safe; nullptr: default_source()
    std::size_t ready_bytes = mebibytes(1);        // an arena's first chunk; taken at its first allocation
    std::uint64_t limit_bytes = usage::unlimited;  // of each arena
    std::uint64_t retain_bytes_max = mebibytes(4); // of each arena, between outermost scopes
};

struct scratch_numbers {
    std::uint64_t thread_count = 0; // sets of arenas, of threads that live or ended
    std::uint64_t opened_count = 0; // scopes, ever
    std::uint64_t open_count = 0;
    allot::usage usage = {}; // of all arenas; the peaks are the sums of each arena's own
};

class scratch;

namespace detail {

// 0: this thread never opened a scope. Never used twice.
[[gnu::tls_model("initial-exec")]] extern constinit thread_local std::uint64_t scratch_thread_serial;

inline constexpr std::size_t scratch_arena_count = 4; // two take turns; two more for conflicts with both

// One thread's arenas. `owner` and all below it are its thread's alone, but for what describe() reads.
struct scratch_thread {
    explicit scratch_thread(const arena_options& how) noexcept
        : arenas{arena(how), arena(how), arena(how), arena(how)} {}

    scratch_thread* next = nullptr;       // in the set; constant
    bool bound = false;                   // stands in the table; under the set's mutex
    std::atomic<std::uint64_t> owner = 0; // a thread's serial
    // A thread without a slot took it, under the set's mutex, and has not yet counted its scope.
    std::atomic<bool> claimed = false;
    // 0, with release, when the last scope has ended: only then may another thread continue these arenas.
    std::atomic<std::uint64_t> open_count = 0;
    std::atomic<std::uint64_t> opened_count = 0;
    scratch* newest = nullptr;
    std::array<scratch*, scratch_arena_count> newest_on = {};
    std::array<arena, scratch_arena_count> arenas;
};

} // namespace detail

// The arenas of all threads for one purpose. Most programs need none but the default one.
class scratch_arenas {
public:
    // Expects: upstream is thread_safe.
    explicit scratch_arenas(const scratch_options& options = {}) noexcept;
    ~scratch_arenas();
    scratch_arenas(const scratch_arenas&) = delete;
    scratch_arenas& operator=(const scratch_arenas&) = delete;

    // A scope on none of the arenas that the conflicts stand on.
    template <std::derived_from<memory_source>... Conflicts>
    [[nodiscard]] scratch open(const Conflicts&... conflicts);

    // Makes this thread's arenas, if it has none: then opening a scope cannot throw on this thread until its
    // thread-local objects are destroyed. False on shortage, or where more than 128 threads run.
    [[nodiscard]] bool try_prepare() noexcept;

    scratch_numbers numbers() const noexcept; // of each arena as of its last chunk or scope
    const allot::name& name() const noexcept { return options_.name; }

private:
    friend class scratch;

    detail::scratch_thread& own() { // Throws: out_of_memory
        detail::scratch_thread* const it = threads_[detail::thread_slot()].load(std::memory_order_relaxed);
        if (it && it->owner.load(std::memory_order_relaxed) == detail::scratch_thread_serial) [[likely]]
            return *it;
        return own_slow();
    }
    detail::scratch_thread& own_slow();
    detail::scratch_thread* try_own_slow() noexcept;
    detail::scratch_thread* try_take_unbound() noexcept;

    scratch_options options_;          // upstream is never null
    mutable detail::fork_mutex mutex_; // guards first_, `bound`, and the writing of threads_
    detail::scratch_thread* first_ = nullptr;
    std::atomic<detail::scratch_thread*> threads_[detail::thread_slot_count + 1] = {};
};

// "scratch", over default_source(); never destroyed.
scratch_arenas& default_scratch() noexcept;

// An open scope, and the memory_source of what lives in it. Throws at opening: out_of_memory, where the
// thread has no arenas yet and there is no memory for their 1.7 KiB.
class scratch final : public memory_source {
public:
    scratch() : scratch(default_scratch()) {}
    explicit scratch(scratch_arenas& of) : scratch(of, {}) {}
    ~scratch() override;

    // A scope of the default arenas on none of those that the conflicts (scratches, or their arenas) stand
    // on.
    template <std::derived_from<memory_source>... Conflicts>
    [[nodiscard]] static scratch beside(const Conflicts&... conflicts) {
        return default_scratch().open(conflicts...);
    }

    // The arena, for one call at a time: work->make<node>(). To containers give the scratch itself.
    arena* operator->() noexcept { return &checked_arena(); }

    // As in memory_source, without a virtual call.
    [[nodiscard]] void* try_allocate(layout wanted) noexcept { return checked_arena().try_allocate(wanted); }
    [[nodiscard]] void* allocate(layout wanted) { return checked_arena().allocate(wanted); }
    [[nodiscard]] void* allocate(std::size_t size, std::size_t align = alignof(std::max_align_t)) {
        return allocate(layout{size, align});
    }
    void deallocate(void* address, layout given) noexcept { arena_.deallocate(address, given); }
    void deallocate(void* address, std::size_t size, std::size_t align = alignof(std::max_align_t)) noexcept {
        arena_.deallocate(address, layout{size, align});
    }
    [[nodiscard]] bool try_resize(void* address, layout given, std::size_t new_size) noexcept {
        return checked_arena().try_resize(address, given, new_size);
    }

private:
    friend class scratch_arenas;
    struct conflict_list {
        const memory_source* const* first = nullptr;
        std::size_t count = 0;
    };
    scratch(scratch_arenas& of, conflict_list conflicts);
    scratch(scratch_arenas& of, detail::scratch_thread& thread, conflict_list conflicts) noexcept;
    static std::size_t choose(const scratch_arenas& of, const detail::scratch_thread& thread,
                              conflict_list conflicts) noexcept;

    arena& checked_arena() noexcept {
        if constexpr (checks >= check_level::on)
            if (thread_.newest_on[index_] != this ||
                thread_.owner.load(std::memory_order_relaxed) != detail::scratch_thread_serial) [[unlikely]]
                fatal_use();
        return arena_;
    }
    [[noreturn, gnu::cold]] void fatal_use() const noexcept;

    void* do_try_allocate(layout wanted) noexcept override { return checked_arena().try_allocate(wanted); }
    void do_give_back(void* address, layout given) noexcept override { arena_.deallocate(address, given); }
    bool do_try_resize(void* address, layout given, std::size_t new_size) noexcept override {
        return try_resize(address, given, new_size);
    }
    source_traits do_traits() const noexcept override { return {.bulk_free = true}; }
    source_description do_describe() const noexcept override;

    scratch_arenas& of_;
    detail::scratch_thread& thread_;
    const std::size_t index_;
    arena& arena_;
    scratch* const around_;             // on this thread, of whichever arena; or nullptr
    scratch* const outer_;              // on this arena
    std::optional<arena::scope> scope_; // empty in an arena's outermost, which resets
};

template <std::derived_from<memory_source>... Conflicts>
scratch scratch_arenas::open(const Conflicts&... conflicts) {
    const memory_source* const all[] = {&conflicts..., nullptr};
    return scratch(*this, scratch::conflict_list{all, sizeof...(conflicts)});
}

} // namespace allot
