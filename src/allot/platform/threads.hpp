// threads: who runs, and how to wait: thread id, futex, back-off and a mutex of four bytes.
//
// Use it where <mutex> and <condition_variable> cannot go: in a malloc hook, or on words in memory that two
// processes share. Elsewhere use the standard ones.
// Freestanding. Allocates nothing, leaves errno alone, takes no lock of the C library. All order comes from
// the atomic operations on the words themselves, so ThreadSanitizer follows it.
// Cost: thread_id is one thread-local load after a thread's first call; an uncontended lock is one
// compare-exchange.
//
//     light_mutex mutex;
//     { light_mutex::guard hold(mutex); ++shared; }
//
//     for (backoff pause; __atomic_load_n(&word, __ATOMIC_ACQUIRE) == 0;)
//         if (!pause.again())
//             futex_wait(&word, 0, 50'000'000, futex_scope::process_shared);
#pragma once

#include <cstdint>

namespace allot {

// The kernel's thread id. After a fork, the child's only thread must call forget_thread_id() first.
std::uint32_t thread_id() noexcept;
void forget_thread_id() noexcept;

// Processors this process may run on, at least 1. A system call.
unsigned cpu_count() noexcept;

enum class futex_scope : std::uint8_t { process_private, process_shared };
enum class futex_answer : std::uint8_t {
    woken,   // or for no reason at all, as futexes do: look at the word again
    changed, // the word was not `expected`: nothing was waited for
    timed_out,
    refused // the system call is not allowed here (seccomp) or failed: the caller must poll
};

inline constexpr std::uint64_t futex_no_timeout = ~std::uint64_t{0};

// Sleeps while *word == expected, at most for timeout_ns. A signal counts as woken.
futex_answer futex_wait(const std::uint32_t* word, std::uint32_t expected, std::uint64_t timeout_ns,
                        futex_scope scope = futex_scope::process_private) noexcept;
// Wakes up to `count` waiters; answers how many woke.
unsigned futex_wake(const std::uint32_t* word, unsigned count,
                    futex_scope scope = futex_scope::process_private) noexcept;

// Tells the processor that this is a waiting loop.
inline void spin_pause() noexcept {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
}

// Waits a little longer each time: 1, 2, 4 … 64 pauses, then four times the rest of the time slice. After
// that again() is false and returns at once: time to sleep on a futex.
class backoff {
public:
    bool again() noexcept;

private:
    static constexpr unsigned spin_rounds = 7;
    static constexpr unsigned yield_rounds = 4;
    unsigned round_ = 0;
};

// Not recursive, not fair. All zero bytes are an unlocked mutex. In one process only. A child forked while
// another thread held it must overwrite it with a new one.
class light_mutex {
public:
    class [[nodiscard]] guard {
    public:
        explicit guard(light_mutex& mutex) noexcept : mutex_(mutex) { mutex_.lock(); }
        ~guard() { mutex_.unlock(); }
        guard(const guard&) = delete;
        guard& operator=(const guard&) = delete;

    private:
        light_mutex& mutex_;
    };

    bool try_lock() noexcept {
        std::uint32_t expected = unlocked;
        return __atomic_compare_exchange_n(&state_, &expected, locked, false, __ATOMIC_ACQUIRE,
                                           __ATOMIC_RELAXED);
    }
    void lock() noexcept {
        if (!try_lock()) [[unlikely]]
            lock_contended();
    }
    void unlock() noexcept {
        if (__atomic_exchange_n(&state_, unlocked, __ATOMIC_RELEASE) == contended) [[unlikely]]
            futex_wake(&state_, 1);
    }

private:
    // contended: somebody may be asleep, so unlock must wake one.
    static constexpr std::uint32_t unlocked = 0, locked = 1, contended = 2;

    void lock_contended() noexcept;

    std::uint32_t state_ = unlocked;
};

} // namespace allot
