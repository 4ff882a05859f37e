// scratch over several threads: at their end, without a slot, and in the child of a fork. What a scope that
// ends on another thread does (B3) is in tests/misuse/scratch_ends_elsewhere.cpp: it dies by a line.
#include <allot/structure/scratch.hpp>

#include <gtest/gtest.h>

#include <allot/source/default_source.hpp>
#include <allot/testing/auditing_source.hpp>
#include <barrier>
#include <coroutine>
#include <cstring>
#include <memory>
#include <optional>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace allot {
namespace {

void operate(scratch_arenas& arenas, int depth, unsigned seed) {
    scratch work(arenas);
    const std::span<unsigned> mine = work->make_span<unsigned>(200);
    for (unsigned& each : mine) each = seed;
    if (depth != 0) operate(arenas, depth - 1, seed + 1);
    for (const unsigned each : mine) ASSERT_EQ(each, seed);
}

TEST(scratch_threads, keeps_eight_threads_apart) {
    auditing_source below(default_source());
    {
        scratch_arenas arenas({.upstream = &below, .ready_bytes = kibibytes(16)});
        std::atomic<bool> done = false;
        std::thread reader([&] {
            while (!done) EXPECT_LE(arenas.numbers().thread_count, 9u);
        });
        std::vector<std::thread> threads;
        for (unsigned t = 0; t < 8; ++t)
            threads.emplace_back([&arenas, t] {
                for (int i = 0; i < 500; ++i) operate(arenas, 5, t * 100);
            });
        for (std::thread& each : threads) each.join();
        done = true;
        reader.join();
        EXPECT_EQ(arenas.numbers().opened_count, 8u * 500 * 6);
        EXPECT_EQ(arenas.numbers().open_count, 0u);
    }
    EXPECT_EQ(below.live_count(), 0u);
}

TEST(scratch_threads, continues_the_arenas_of_an_ended_thread) {
    scratch_arenas arenas;
    for (unsigned i = 0; i < 20; ++i) std::thread([&arenas] { operate(arenas, 3, 0); }).join();
    EXPECT_EQ(arenas.numbers().thread_count, 1u);
    EXPECT_EQ(arenas.numbers().opened_count, 80u);
}

TEST(scratch_threads, leaves_the_arenas_of_a_thread_that_ended_in_a_scope_aside) {
    alignas(scratch) std::byte room[sizeof(scratch)];
    std::byte* kept = nullptr;
    static scratch_arenas& arenas =
        *new scratch_arenas; // such a scope has no end, so neither have its arenas
    std::thread([&] {
        auto* const never_ended = ::new (room) scratch(arenas);
        kept = (*never_ended)->make_span<std::byte>(4000).data();
        std::memset(kept, 7, 4000);
    }).join();
    for (unsigned i = 0; i < 4; ++i) std::thread([] { operate(arenas, 5, 0); }).join();
    for (int i = 0; i < 4000; ++i) ASSERT_EQ(kept[i], std::byte(7));
    EXPECT_EQ(arenas.numbers().thread_count, 2u);
    EXPECT_EQ(arenas.numbers().open_count, 1u);
}

TEST(scratch_threads, may_be_used_by_the_destructors_of_thread_local_objects) {
    static scratch_arenas arenas;
    struct late {
        ~late() { operate(arenas, 4, 9); }
    };
    std::thread([] {
        thread_local late one; // destroyed after the slot is given back: made before it was taken
        (void)one;
        operate(arenas, 4, 5);
        thread_local late two;
        (void)two;
    }).join();
    EXPECT_EQ(arenas.numbers().open_count, 0u);
    EXPECT_EQ(arenas.numbers().opened_count, 15u);
}

TEST(scratch_threads, serves_more_threads_than_there_are_slots) {
    constexpr unsigned count = detail::thread_slot_count + 10;
    scratch_arenas arenas({.ready_bytes = 4096});
    std::barrier all(count);
    std::vector<std::thread> threads;
    for (unsigned t = 0; t < count; ++t)
        threads.emplace_back([&, t] {
            scratch work(arenas);
            const std::span<unsigned> mine = work->make_span<unsigned>(100);
            for (unsigned& each : mine) each = t;
            all.arrive_and_wait(); // all of them are open
            operate(arenas, 3, 1000 + t);
            for (unsigned i = 0; i < 300;
                 ++i) { // those without a slot look for free arenas each time, all at once
                scratch more(arenas);
                unsigned* const own = more->make<unsigned>(t);
                ASSERT_EQ(*own, t);
            }
            for (const unsigned each : mine) ASSERT_EQ(each, t);
            all.arrive_and_wait();
        });
    for (std::thread& each : threads) each.join();
    EXPECT_EQ(arenas.numbers().open_count, 0u);
    EXPECT_GE(arenas.numbers().thread_count, std::uint64_t{count});
}

#if !defined(__SANITIZE_THREAD__)
TEST(scratch_threads, works_in_the_child_of_a_fork_while_threads_are_in_scopes) {
    scratch_arenas arenas({.ready_bytes = 4096});
    std::barrier all_run(4); // a fork while a thread starts would leave the sanitizer's own lock taken
    std::atomic<bool> done = false;
    std::vector<std::thread> threads;
    for (unsigned t = 0; t < 3; ++t)
        threads.emplace_back([&, t] {
            all_run.arrive_and_wait();
            while (!done) operate(arenas, 3, t);
        });
    all_run.arrive_and_wait();
    scratch mine(arenas);
    const std::span<unsigned> kept = mine->make_span<unsigned>(100);
    kept[99] = 5;
    for (int i = 0; i < 10; ++i) {
        const pid_t child = ::fork();
        if (child == 0) {
            operate(arenas, 4, 1);
            std::thread([&] { operate(arenas, 4, 2); }).join(); // takes the slot of a thread that is not here
            const bool right = kept[99] == 5 && arenas.numbers().open_count >= 1;
            ::_exit(right ? 0 : 1);
        }
        int status = -1;
        ::waitpid(child, &status, 0);
        EXPECT_EQ(status, 0);
    }
    done = true;
    for (std::thread& each : threads) each.join();
}
#endif

struct task { // of one coroutine, resumed by hand
    struct promise_type {
        task get_return_object() { return {std::coroutine_handle<promise_type>::from_promise(*this)}; }
        std::suspend_never initial_suspend() noexcept { return {}; }
        std::suspend_always final_suspend() noexcept { return {}; }
        void return_void() {}
        void unhandled_exception() { std::abort(); }
    };
    std::coroutine_handle<promise_type> handle;
};

// B3: a scope in a coroutine that ends on its own thread, in the order in which it began, ends its own.
TEST(scratch_threads, ends_its_own_in_a_coroutine_that_stays_on_its_thread) {
    scratch_arenas arenas;
    scratch outer(arenas);
    const std::span<int> kept = outer->make_span<int>(100);
    kept[0] = 1;
    const auto body = [](scratch_arenas& of) -> task {
        scratch inner(of);
        const std::span<int> own = inner->make_span<int>(1000);
        own[999] = 3;
        co_await std::suspend_always();
        EXPECT_EQ(own[999], 3);
    };
    const task started = body(arenas);
    EXPECT_EQ(arenas.numbers().open_count, 2u);
    started.handle.resume();
    EXPECT_EQ(arenas.numbers().open_count, 1u);
    started.handle.destroy();
    EXPECT_EQ(kept[0], 1);
}

} // namespace
} // namespace allot
