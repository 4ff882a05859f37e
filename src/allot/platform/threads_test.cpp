#include <allot/platform/threads.hpp>

#include <gtest/gtest.h>

#include <cerrno>
#include <latch>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace {

using namespace allot;

TEST(threads, count_together_under_a_light_mutex) {
    light_mutex mutex;
    int shared = 0;
    std::vector<std::thread> threads;
    for (int thread = 0; thread < 4; ++thread)
        threads.emplace_back([&] {
            for (int round = 0; round < 20000; ++round) {
                light_mutex::guard hold(mutex);
                ++shared;
            }
        });
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(shared, 80000);
}

TEST(threads, sleep_on_a_word_until_another_sets_it) {
    std::uint32_t word = 0;
    int handed_over = 0;
    std::thread waiter([&] {
        for (backoff pause; __atomic_load_n(&word, __ATOMIC_ACQUIRE) == 0;)
            if (!pause.again()) futex_wait(&word, 0, 50'000'000, futex_scope::process_shared);
        EXPECT_EQ(handed_over, 7);
    });
    handed_over = 7;
    __atomic_store_n(&word, 1, __ATOMIC_RELEASE);
    futex_wake(&word, 1, futex_scope::process_shared);
    waiter.join();
}

TEST(threads, know_the_kernels_id_of_each) {
    EXPECT_EQ(thread_id(), static_cast<std::uint32_t>(::getpid()));
    std::thread([] {
        EXPECT_EQ(thread_id(), static_cast<std::uint32_t>(::syscall(SYS_gettid)));
        EXPECT_EQ(thread_id(), static_cast<std::uint32_t>(::syscall(SYS_gettid)));
    }).join();
}

int exit_code_of(pid_t child) {
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(threads, get_a_new_id_in_a_forked_child_that_forgets_the_old_one) {
    (void)thread_id();
    const pid_t child = ::fork();
    if (child == 0) {
        forget_thread_id();
        ::_exit(thread_id() == static_cast<std::uint32_t>(::getpid()) ? 0 : 1);
    }
    EXPECT_EQ(exit_code_of(child), 0);
}

TEST(threads, count_the_processors_they_may_run_on) {
    std::thread([] {
        cpu_set_t allowed;
        ASSERT_EQ(::sched_getaffinity(0, sizeof allowed, &allowed), 0);
        EXPECT_EQ(cpu_count(), static_cast<unsigned>(CPU_COUNT(&allowed)));
        int first = 0;
        while (!CPU_ISSET(first, &allowed)) ++first;
        CPU_ZERO(&allowed);
        CPU_SET(first, &allowed);
        ASSERT_EQ(::sched_setaffinity(0, sizeof allowed, &allowed), 0); // of this thread
        EXPECT_EQ(cpu_count(), 1u);
    }).join();
}

TEST(futex, answers_why_it_did_not_sleep_on) {
    std::uint32_t word = 5;
    EXPECT_EQ(futex_wait(&word, 4, futex_no_timeout), futex_answer::changed);
    EXPECT_EQ(futex_wait(&word, 5, 1'000'000), futex_answer::timed_out);
    EXPECT_EQ(futex_wait(&word, 5, 0), futex_answer::timed_out);
    EXPECT_EQ(futex_wait(nullptr, 5, 0), futex_answer::refused);
    EXPECT_EQ(futex_wake(&word, 1), 0u);
    EXPECT_EQ(futex_wake(nullptr, 1, futex_scope::process_shared), 0u);
}

TEST(futex, leaves_errno_alone) {
    std::uint32_t word = 5;
    errno = 77;
    futex_wait(&word, 4, 0);
    futex_wait(&word, 5, 0);
    futex_wake(nullptr, 1, futex_scope::process_shared);
    (void)cpu_count();
    EXPECT_EQ(errno, 77);
}

TEST(futex, wakes_a_waiter_in_another_process) {
    void* memory = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(memory, MAP_FAILED);
    auto* word = static_cast<std::uint32_t*>(memory);
    const pid_t child = ::fork();
    if (child == 0) {
        const auto answer = futex_wait(word, 0, 60'000'000'000, futex_scope::process_shared);
        ::_exit(static_cast<int>(answer));
    }
    // The word never changes, so only a wake can end the wait early.
    while (futex_wake(word, 1, futex_scope::process_shared) == 0) ::sched_yield();
    EXPECT_EQ(exit_code_of(child), static_cast<int>(futex_answer::woken));
    ::munmap(memory, 4096);
}

TEST(backoff, ends_after_a_bounded_number_of_rounds_and_stays_ended) {
    backoff pause;
    int rounds = 0;
    while (pause.again()) ASSERT_LT(++rounds, 100);
    EXPECT_GE(rounds, 5);
    EXPECT_FALSE(pause.again());
}

TEST(light_mutex, is_unlocked_when_all_its_bytes_are_zero) {
    alignas(light_mutex) unsigned char bytes[sizeof(light_mutex)] = {};
    static_assert(sizeof bytes == 4);
    auto& mutex = *reinterpret_cast<light_mutex*>(bytes);
    EXPECT_TRUE(mutex.try_lock());
    EXPECT_FALSE(mutex.try_lock());
    mutex.unlock();
    EXPECT_TRUE(mutex.try_lock());
    mutex.unlock();
}

TEST(light_mutex, wakes_those_who_sleep_for_it) {
    light_mutex mutex;
    std::latch at_the_lock(3);
    int entered = 0;
    std::vector<std::thread> threads;
    mutex.lock();
    for (int thread = 0; thread < 3; ++thread)
        threads.emplace_back([&] {
            at_the_lock.count_down();
            light_mutex::guard hold(mutex);
            ++entered;
        });
    at_the_lock.wait();
    // Held until all have given up spinning; each yields at most a few times before it sleeps.
    for (int turn = 0; turn < 1000; ++turn) ::sched_yield();
    EXPECT_EQ(entered, 0);
    mutex.unlock();
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(entered, 3);
}

} // namespace
