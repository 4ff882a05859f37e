// hook_mutex: a mutex of four bytes that waits by futex alone.
//
// Use it in this library; elsewhere platform/threads has light_mutex, which yields to the scheduler while it
// is contended: a system call that a program's seccomp filter need not allow, and that it never made itself.
// Not recursive. All zero is unlocked. Threads: of one process; a wiped page after a fork unlocks it. Cost:
// one compare-exchange when it is free.
//
//     hook_mutex mutex{};
//     { const hook_mutex::guard hold(mutex); ++shared; }
#pragma once

#include <allot/platform/threads.hpp>
#include <cstdint>

namespace allot::recorder {

class hook_mutex {
public:
    class [[nodiscard]] guard {
    public:
        explicit guard(hook_mutex& mutex) noexcept : mutex_(mutex) { mutex_.lock(); }
        ~guard() { mutex_.unlock(); }
        guard(const guard&) = delete;
        guard& operator=(const guard&) = delete;

    private:
        hook_mutex& mutex_;
    };

    void lock() noexcept {
        std::uint32_t expected = 0;
        if (!__atomic_compare_exchange_n(&state_, &expected, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
            [[unlikely]]
            wait();
    }
    void unlock() noexcept {
        if (__atomic_exchange_n(&state_, 0, __ATOMIC_RELEASE) == 2) [[unlikely]]
            futex_wake(&state_, 1);
    }

private:
    [[gnu::noinline, gnu::cold]] void wait() noexcept {
        for (int i = 0; i != 200; ++i) {
            std::uint32_t expected = 0;
            spin_pause();
            if (__atomic_compare_exchange_n(&state_, &expected, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
                return;
        }
        // The time only bounds what could go wrong. With thousands of threads here, short sleeps would leave no
        // processor to the thread that holds the mutex.
        constexpr std::uint64_t timeout_max_ns = 2'000'000'000;
        std::uint64_t timeout_ns = 20'000'000;
        for (; __atomic_exchange_n(&state_, 2, __ATOMIC_ACQUIRE) != 0;
             timeout_ns = timeout_ns < timeout_max_ns ? timeout_ns * 2 : timeout_ns)
            if (futex_wait(&state_, 2, timeout_ns) == futex_answer::refused) spin_pause();
    }

    std::uint32_t state_; // 0 free, 1 taken, 2 taken and somebody may sleep
};

} // namespace allot::recorder
