// thread_slots: a small number for each running thread, so that counters can be kept per thread.
//
// Inner part of what counts or caches per thread (ledger, budget): a component keeps an array of
// thread_slot_count + 1 pointers to its cells and looks its own up with thread_slot(). Slot 0 is nobody's: a
// thread that has not yet asked, that found all slots taken, or whose thread-local objects are destroyed
// already has it, and its cell is never made, so that the one test "is there a cell?" leads all of them to
// the slow path.
// Danger, and the order that keeps it out:
// - A cell has one writer, the thread that holds the slot; it writes with relaxed load and store. A thread
//   gives its slot back at its end under the registry's mutex, the next one takes it under the same mutex: so
//   the second thread continues the first one's cells with everything in them, and nothing must be folded.
// - A fork must not cut a step in two that touches a cell and a shared total. Such steps hold the slot's
//   mutex; the fork handler takes all of them, and frees the slots of the threads that the child does not
//   have.
// - Order of locks: fork_mutexes (in whatever order users nest them: the fork handler takes all or none),
//   then a slot's mutex, then the registry's.
// Threads: any.
// Cost: thread_slot() is a thread-local load; a thread's first take_thread_slot() a lock, and the C++ run
// time may allocate to note that the thread's end matters. 8 KiB of zero pages.
//
//     cell* own = cells_[detail::thread_slot()].load(std::memory_order_relaxed);
//     if (!own) [[unlikely]] return enter_slow(bytes);       // which calls take_thread_slot()
#pragma once

#include <allot/platform/threads.hpp>
#include <cstddef>
#include <cstdint>

namespace allot::detail {

inline constexpr std::uint32_t thread_slot_count = 128; // slots 1 … 128

[[gnu::tls_model("initial-exec")]] extern constinit thread_local std::uint32_t current_thread_slot;

// This thread's slot, or 0.
inline std::uint32_t thread_slot() noexcept { return current_thread_slot; }
// The same, but takes a slot where the thread has none yet. 0: none is to be had.
std::uint32_t take_thread_slot() noexcept;
// The mutex of a slot, slot 0 included. For a few instructions at a time.
light_mutex& slot_mutex(std::uint32_t slot) noexcept;

// Takes a slot that no running thread holds, for as long as its cells are being emptied: no thread gets it
// meanwhile, and what the ended thread wrote is seen. False: a thread holds it. Only while a fork_mutex is held,
// so that no fork finds a slot borrowed.
[[nodiscard]] bool try_borrow_thread_slot(std::uint32_t slot) noexcept;
void return_thread_slot(std::uint32_t slot) noexcept;

// A mutex for slow paths that is free, and its data whole, in the child of a fork.
class fork_mutex {
public:
    fork_mutex() noexcept;
    ~fork_mutex();
    fork_mutex(const fork_mutex&) = delete;
    fork_mutex& operator=(const fork_mutex&) = delete;

    class [[nodiscard]] guard {
    public:
        explicit guard(fork_mutex& mutex) noexcept : mutex_(mutex) { mutex_.lock(); }
        ~guard() { mutex_.unlock(); }
        guard(const guard&) = delete;
        guard& operator=(const guard&) = delete;

    private:
        fork_mutex& mutex_;
    };

    void lock() noexcept;
    // False when the deadline (monotonic_ns) passed, and at once when this very thread holds it.
    [[nodiscard]] bool try_lock_until(std::uint64_t deadline_ns) noexcept;
    void unlock() noexcept;

private:
    friend struct fork_registry;

    bool is_mine() const noexcept;
    void set_owner(std::uint32_t id) noexcept;

    light_mutex mutex_;
    std::uint32_t owner_ = 0;   // the holder's thread id; others read it, as a guess
    bool held_at_fork_ = false; // by the forking thread; between prepare and the end of the fork
    fork_mutex* next_ = nullptr;
    fork_mutex* previous_ = nullptr;
};

} // namespace allot::detail
