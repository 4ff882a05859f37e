// Control flow that leaves a stack in other ways than by returning, and stacks that are not the thread's own.
#include <allot/platform/call_stack_test.hpp>

#include <atomic>
#include <csetjmp>
#include <csignal>
#include <cstdlib>
#include <functional>
#include <thread>

#include <pthread.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

// The test's own vectors allocate in handlers, which interrupt only code that does not.
extern "C" const char* __tsan_default_options() { return "report_signal_unsafe=0"; }

namespace {

using allot::stack_end;
using namespace stack_test;

allot::stack_cache* cache; // of the running test
taken last;
thread_local volatile int sink;

void take_last(int) { last = take(*cache); }

[[gnu::noinline]] void nested(int depth, const std::function<void()>& at_the_end) {
    if (depth == 0)
        at_the_end();
    else
        nested(depth - 1, at_the_end);
    sink = depth;
}

TEST(control, a_signal_handler_on_the_threads_stack_shows_the_interrupted_frames) {
    const cache_pointer own = new_cache();
    cache = own.get();
    std::signal(SIGUSR1, take_last);
    for (int i = 0; i != 3; ++i)
        nested(i, [] {
            expect_right(take(*cache));
            raise(SIGUSR1);
            expect_right(last);
            expect_right(take(*cache));
        });
    std::signal(SIGUSR1, SIG_DFL);
}

// Interrupts at any instruction, prologues and epilogues too.
TEST(control, a_timer_signal_anywhere_gives_right_stacks) {
    const cache_pointer own = new_cache();
    cache = own.get();
    static std::atomic<int> seen;
    static std::atomic<int> wrong;
    seen = wrong = 0;
    struct sigaction action{};
    action.sa_handler = [](int) {
        const taken now = take(*cache);
        ++seen;
        // libgcc gives up where code has no tables (as the program's PLT header has none): then we must, too.
        if (now.ours != now.oracle && wrong++ == 0) last = now;
    };
    action.sa_flags = SA_RESTART;
    ASSERT_EQ(sigaction(SIGPROF, &action, nullptr), 0);
    timer_t timer{};
    sigevent event{};
    event.sigev_notify = SIGEV_SIGNAL;
    event.sigev_signo = SIGPROF;
    ASSERT_EQ(timer_create(CLOCK_THREAD_CPUTIME_ID, &event, &timer), 0);
    const itimerspec often{{0, 200'000}, {0, 200'000}};
    ASSERT_EQ(timer_settime(timer, 0, &often, nullptr), 0);
    const std::function<void()> nothing = [] { sink = std::abs(sink - 3); };
    while (seen < 200) nested(20, nothing);
    timer_delete(timer);
    std::signal(SIGPROF, SIG_IGN);
    EXPECT_EQ(wrong, 0) << "end " << static_cast<int>(last.shape.end) << " ours "
                        << testing::PrintToString(last.ours) << " libgcc "
                        << testing::PrintToString(last.oracle);
}

TEST(control, a_handler_on_its_own_stack_is_a_short_stack) {
    const cache_pointer own = new_cache();
    cache = own.get();
    std::vector<unsigned char> memory(256 * 1024);
    stack_t other{};
    other.ss_sp = memory.data();
    other.ss_size = memory.size();
    ASSERT_EQ(sigaltstack(&other, nullptr), 0);
    struct sigaction action{};
    action.sa_handler = take_last;
    action.sa_flags = SA_ONSTACK;
    ASSERT_EQ(sigaction(SIGUSR2, &action, nullptr), 0);
    expect_right(take(*cache));
    raise(SIGUSR2);
    EXPECT_EQ(last.shape.end, stack_end::out_of_bounds);
    ASSERT_EQ(last.ours.size(), 1u);
    EXPECT_EQ(last.ours[0], last.oracle[0]);
    expect_right(take(*cache));
    other.ss_flags = SS_DISABLE;
    sigaltstack(&other, nullptr);
}

ucontext_t main_context, coroutine_context;

void coroutine() {
    for (int i = 0; i != 3; ++i) {
        nested(5, [] { last = take(*cache); });
        swapcontext(&coroutine_context, &main_context);
    }
}

TEST(control, a_coroutine_is_a_short_stack_between_whole_ones) {
    const cache_pointer own = new_cache();
    cache = own.get();
    std::vector<unsigned char> memory(256 * 1024);
    ASSERT_EQ(getcontext(&coroutine_context), 0);
    coroutine_context.uc_stack.ss_sp = memory.data();
    coroutine_context.uc_stack.ss_size = memory.size();
    makecontext(&coroutine_context, coroutine, 0);
    for (int i = 0; i != 3; ++i) {
        nested(i, [] { expect_right(take(*cache)); });
        swapcontext(&main_context, &coroutine_context);
        EXPECT_EQ(last.shape.end, stack_end::out_of_bounds);
        EXPECT_EQ(last.shape.count, 1u);
        expect_right(take(*cache));
    }
}

TEST(control, longjmp_out_of_a_handler_leaves_the_cache_right) {
    const cache_pointer own = new_cache();
    cache = own.get();
    static sigjmp_buf back;
    std::signal(SIGUSR1, [](int) {
        last = take(*cache);
        siglongjmp(back, 1);
    });
    for (int i = 0; i != 5; ++i) {
        if (sigsetjmp(back, 1) == 0) nested(i, [] { raise(SIGUSR1); });
        expect_right(last);
        nested(3, [] { expect_right(take(*cache)); });
    }
    std::signal(SIGUSR1, SIG_DFL);
}

TEST(control, threads_have_whole_stacks_of_their_own) {
    std::vector<std::thread> threads;
    for (int t = 0; t != 4; ++t)
        threads.emplace_back([t] {
            const cache_pointer mine = new_cache();
            for (int depth = 0; depth != 30; ++depth)
                nested(depth * t % 17, [&] { expect_right(take(*mine)); });
        });
    for (auto& thread : threads) thread.join();
}

TEST(control, a_thread_with_a_tiny_stack_can_be_captured) {
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    ASSERT_EQ(pthread_attr_setstacksize(&attributes, 16 * 1024), 0);
    static allot::captured_stack seen;
    static cache_pointer own;
    own = new_cache();
    pthread_t thread{};
    const auto body = [](void*) -> void* {
        const allot::stack_bounds bounds = allot::current_thread_bounds();
        for (int i = 0; i != 2; ++i) seen = own->capture(rules(), __builtin_frame_address(0), bounds);
        return nullptr;
    };
    ASSERT_EQ(pthread_create(&thread, &attributes, body, nullptr), 0);
    pthread_join(thread, nullptr);
    pthread_attr_destroy(&attributes);
    EXPECT_EQ(seen.end, stack_end::complete);
    EXPECT_GE(seen.count, 2u);
}

// The child's only thread runs on the stack of the thread that forked.
TEST(control, the_child_of_a_threads_fork_goes_on_with_its_cache) {
    int status = -1;
    std::thread([&] {
        const cache_pointer mine = new_cache();
        expect_right(take(*mine));
        const pid_t child = fork();
        if (child == 0) {
            bool right = true;
            for (int i = 0; i != 5; ++i)
                nested(i, [&] {
                    const taken now = take(*mine);
                    right = right && now.shape.end == stack_end::complete && now.ours == now.oracle;
                });
            _exit(right ? 0 : 1);
        }
        waitpid(child, &status, 0);
    }).join();
    EXPECT_EQ(status, 0);
}

TEST(control, bounds_contain_locals_of_the_own_thread_only) {
    const allot::stack_bounds ours = allot::current_thread_bounds();
    const auto here = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
    EXPECT_TRUE(ours.contains(here));
    std::thread([&] {
        const allot::stack_bounds theirs = allot::current_thread_bounds();
        EXPECT_TRUE(theirs.contains(reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0))));
        EXPECT_FALSE(theirs.contains(here));
        EXPECT_FALSE(ours.contains(reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0))));
    }).join();
}

} // namespace
