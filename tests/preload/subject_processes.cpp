// Forks, threads, signals and stacks that end oddly.

#include "subject.hpp"

#include <alloca.h>
#include <atomic>
#include <csetjmp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <malloc.h>
#include <pthread.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>
#include <vector>

extern char** environ;

namespace subject {
namespace {

void allocate(int count, std::size_t size, bool give_back) {
    for (int i = 0; i != count; ++i) {
        void* block = malloc(size);
        asm volatile("" : "+r"(block) : : "memory");
        if (give_back) free(block);
    }
}

int wait_for(pid_t child) {
    int status;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 90;
}

int fork_child(char**) {
    allocate(10, 100, true);
    const pid_t child = fork();
    if (child == 0) {
        allocate(5, 7, false);
        _exit(7);
    }
    const int code = wait_for(child);
    allocate(3, 100, true);
    return code == 7 ? 0 : 1;
}

// A child whose only calls free what its parent allocated.
int fork_to_free(char**) {
    void* blocks[3];
    for (void*& block : blocks) block = malloc(100);
    const pid_t child = fork();
    for (void* block : blocks) free(block);
    if (child == 0) _exit(7);
    return wait_for(child) == 7 ? 0 : 1;
}

// A child that the C library does not know of.
int raw_clone(char**) {
    allocate(10, 100, true);
    const long child = syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, nullptr);
    if (child == 0) {
        allocate(5, 7, false);
        syscall(SYS_exit_group, 7);
    }
    return wait_for(static_cast<pid_t>(child)) == 7 ? 0 : 1;
}

int fork_of_fork(char**) {
    for (int depth = 0; depth != 3; ++depth) {
        allocate(2, 10, true);
        const pid_t child = fork();
        if (child != 0) return wait_for(child);
    }
    allocate(1, 10, true);
    return 0;
}

std::atomic<bool> stop_threads;
void* churn(void*) {
    while (!stop_threads) allocate(10, 50, true);
    return nullptr;
}

// Forks while other threads are in the middle of allocating.
int fork_among_threads(char**) {
    pthread_t threads[2];
    for (auto& t : threads) pthread_create(&t, nullptr, churn, nullptr);
    int wrong = 0;
    for (int i = 0; i != 20; ++i) {
        const pid_t child = fork();
        if (child == 0) {
            allocate(5, 7, false);
            _exit(7);
        }
        wrong += wait_for(child) != 7;
    }
    stop_threads = true;
    for (auto& t : threads) pthread_join(t, nullptr);
    return wrong;
}

int vfork_child(char**) {
    allocate(10, 100, true);
    const pid_t child = vfork();
    if (child == 0) _exit(7);
    return wait_for(child) == 7 ? 0 : 1;
}

int spawn(char** arguments) {
    char self[4096] = {};
    if (readlink("/proc/self/exe", self, sizeof self - 1) < 0) return 1;
    char* command[] = {self, arguments[0], nullptr};
    pid_t child;
    if (posix_spawn(&child, self, nullptr, nullptr, command, environ) != 0) return 2;
    return wait_for(child);
}

int exec(char** arguments) {
    allocate(10, 100, true);
    char self[4096] = {};
    if (readlink("/proc/self/exe", self, sizeof self - 1) < 0) return 1;
    char* command[] = {self, arguments[0], nullptr};
    execve(self, command, environ);
    return 2;
}

pthread_barrier_t barrier;
void* live_thread(void*) {
    allocate(10, 20, true);
    pthread_barrier_wait(&barrier);
    allocate(10, 20, true);
    return nullptr;
}

// All alive at once, on the smallest stacks.
int threads(char** arguments) {
    const auto count = static_cast<unsigned>(atoi(arguments[0]));
    std::vector<pthread_t> all(count);
    pthread_barrier_init(&barrier, nullptr, count + 1);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 16384);
    pthread_attr_setguardsize(&attributes, 4096);
    for (unsigned i = 0; i != count; ++i)
        if (const int error = pthread_create(&all[i], &attributes, live_thread, nullptr)) {
            fprintf(stderr, "thread %u: %s\n", i, strerror(error));
            _exit(77);
        }
    pthread_barrier_wait(&barrier);
    for (unsigned i = 0; i != count; ++i) pthread_join(all[i], nullptr);
    return 0;
}

int threads_in_turn(char** arguments) {
    for (int i = atoi(arguments[0]); i != 0; --i) {
        pthread_t thread;
        pthread_create(
            &thread, nullptr, [](void*) -> void* { return allocate(10, 20, true), nullptr; }, nullptr);
        pthread_join(thread, nullptr);
    }
    return 0;
}

struct leaves_late {
    void* block = malloc(30);
    ~leaves_late() { free(block), allocate(1, 40, true); }
};
thread_local leaves_late late_object;
pthread_key_t late_key;
void free_late(void* value) {
    static thread_local int rounds = 0;
    free(value);
    if (++rounds < PTHREAD_DESTRUCTOR_ITERATIONS) pthread_setspecific(late_key, malloc(50));
}

// 1 × 30 and 1 × 40 by the object, 4 × 50 by the key, in each of 8 threads.
int late_frees(char**) {
    pthread_key_create(&late_key, free_late);
    for (int i = 0; i != 8; ++i) {
        pthread_t thread;
        const auto body = [](void*) -> void* {
            asm volatile("" : : "r"(&late_object) : "memory");
            pthread_setspecific(late_key, malloc(50));
            return nullptr;
        };
        pthread_create(&thread, nullptr, body, nullptr);
        pthread_join(thread, nullptr);
    }
    return 0;
}

std::atomic<unsigned> signals_seen;
void on_signal(int) {
    allocate(2, 16, true);
    signals_seen.fetch_add(1);
}

// Runs over an allocator that may be interrupted (bump.cpp) until so many signals came, on their own stack if
// the second argument is "aside". Prints how many thousands of blocks the program had, and how many signals
// came.
int signals(char** arguments) {
    static std::uint64_t rounds = 0;
    static char other_stack[65536];
    stack_t where{};
    where.ss_sp = other_stack, where.ss_size = sizeof other_stack;
    sigaltstack(&where, nullptr);
    struct sigaction action{};
    action.sa_handler = on_signal;
    action.sa_flags = strcmp(arguments[1], "aside") == 0 ? SA_ONSTACK : 0;
    sigaction(SIGALRM, &action, nullptr);
    itimerval every{{0, 50}, {0, 50}}, never{};
    setitimer(ITIMER_REAL, &every, nullptr);
    const auto enough = static_cast<unsigned>(atoi(arguments[0]));
    for (; signals_seen < enough; ++rounds) allocate(1000, 32, true);
    setitimer(ITIMER_REAL, &never, nullptr);
    char text[64];
    const int length = snprintf(text, sizeof text, "%llu %u\n", static_cast<unsigned long long>(rounds),
                                signals_seen.load());
    return write(1, text, static_cast<std::size_t>(length)) == length ? 0 : 1;
}

jmp_buf home;
[[gnu::noinline]] void leap(int depth) {
    allocate(1, 24, true);
    if (depth == 0) longjmp(home, 1);
    if (depth > 0) leap(depth - 1);
    allocate(1, 24, true);
}
int jumps(char**) {
    for (int i = 0; i != 100; ++i)
        if (setjmp(home) == 0) leap(20);
    return 0;
}

[[gnu::noinline]] void throwing(int depth) {
    allocate(1, 24, true);
    if (depth == 0) throw depth;
    throwing(depth - 1);
    allocate(1, 24, true);
}
int exceptions(char**) {
    int caught = 0;
    for (int i = 0; i != 100; ++i) try {
            throwing(20);
        } catch (int) {
            ++caught;
        }
    return caught == 100 ? 0 : 1;
}

ucontext_t outside, inside;
void coroutine() {
    for (int i = 0; i != 100; ++i) {
        allocate(1, 24, true);
        swapcontext(&inside, &outside);
    }
}
// The coroutine's stack is an array, then lies directly below unreadable memory.
int coroutines(char**) {
    const std::size_t size = 65536;
    auto* stack = static_cast<char*>(mmap(nullptr, size * 2, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    mprotect(stack, size, PROT_READ | PROT_WRITE);
    getcontext(&inside);
    inside.uc_stack.ss_sp = stack, inside.uc_stack.ss_size = size, inside.uc_link = &outside;
    makecontext(&inside, coroutine, 0);
    for (int i = 0; i != 100; ++i) {
        swapcontext(&outside, &inside);
        allocate(1, 24, true);
    }
    return 0;
}

// Finds its caller's frame by rbp alone, since its own has no fixed size; every hook is called from here.
[[gnu::noinline]] void allocate_in_every_way(std::size_t room_bytes) {
    auto* room = static_cast<char*>(alloca(room_bytes));
    asm volatile("" : : "r"(room) : "memory");
    void* blocks[16] = {
        malloc(501),       calloc(1, 502), realloc(nullptr, 503), aligned_alloc(64, 504),
        memalign(64, 505), valloc(506),    pvalloc(507),          reallocarray(nullptr, 1, 508)};
    if (posix_memalign(&blocks[8], 64, 509) != 0) abort();
    blocks[0] = realloc(blocks[0], 510);
    blocks[1] = reallocarray(blocks[1], 1, 511);
    asm volatile("" : : "r"(room) : "memory");
    for (void* block : blocks) free(block);
}
int every_way(char**) {
    for (std::size_t bytes = 16; bytes != 1616; bytes += 16) allocate_in_every_way(bytes);
    return 0;
}

int abort_at_end(char**) { allocate(1000, 10, true), abort(); }
int kill_at_end(char**) { return allocate(1000, 10, true), raise(SIGKILL); }

std::uint32_t allowed(std::vector<sock_filter>& rules, std::initializer_list<int> calls) {
    rules.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0));
    for (const int call : calls) {
        rules.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(call), 0, 1));
        rules.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
    }
    rules.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS));
    return static_cast<std::uint32_t>(rules.size());
}

// Only what glibc itself needs for memory and threads: no open, no getpid, gettid, sched_getaffinity,
// sched_yield.
int seccomp(char**) {
    allocate(1, 10, true);
    std::vector<sock_filter> rules;
    allowed(rules, {SYS_mmap, SYS_munmap, SYS_brk, SYS_futex, SYS_exit, SYS_exit_group, SYS_write,
                    SYS_mprotect, SYS_clone3, SYS_clone, SYS_set_robust_list, SYS_rseq, SYS_rt_sigprocmask,
                    SYS_rt_sigreturn, SYS_rt_sigaction, SYS_madvise});
    sock_fprog program{static_cast<unsigned short>(rules.size()), rules.data()};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return 1;
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) return 77;
    for (int i = 0; i != 20; ++i) {
        pthread_t thread;
        const auto body = [](void*) -> void* { return allocate(1000, 20, true), nullptr; };
        if (pthread_create(&thread, nullptr, body, nullptr) != 0) _exit(2);
        allocate(1000, 20, true);
        pthread_join(thread, nullptr);
    }
    _exit(0);
}

int no_environment(char**) {
    clearenv();
    allocate(10, 10, true);
    setenv("SOME_NAME", "some value", 1);
    unsetenv("SOME_NAME");
    return 0;
}

// With nobody to read the rings. Prints how often the process slept.
int many_events(char** arguments) {
    const int count = atoi(arguments[0]);
    allocate(count, 10, true);
    rusage used{};
    getrusage(RUSAGE_SELF, &used);
    char text[64];
    const int length = snprintf(text, sizeof text, "%ld\n", used.ru_nvcsw);
    return write(1, text, static_cast<std::size_t>(length)) == length ? 0 : 1;
}

// A stack for each number below 2^depth.
void left(int depth, unsigned number);
[[gnu::noinline]] void right(int depth, unsigned number) {
    if (depth == 0) return allocate(1, 8, true);
    if ((number & 1) != 0)
        right(depth - 1, number >> 1);
    else
        left(depth - 1, number >> 1);
    asm volatile("");
}
[[gnu::noinline]] void left(int depth, unsigned number) {
    if (depth == 0) return allocate(1, 8, true);
    if ((number & 1) != 0)
        right(depth - 1, number >> 1);
    else
        left(depth - 1, number >> 1);
    asm volatile("");
}
int contexts(char** arguments) {
    const int depth = atoi(arguments[0]);
    for (unsigned number = 0; number >> depth == 0; ++number) left(depth, number);
    return 0;
}

// Calls `work` of each library, one after the other, often at the address where the one before it lay: prints
// whether that happened. (The first one may lie in a hole that the loader's own memory then fills.)
int libraries(char** arguments) {
    void* before = nullptr;
    bool same = false;
    for (int round = 0; round != 3; ++round)
        for (char** name = arguments; *name != nullptr; ++name) {
            void* library = dlopen(*name, RTLD_NOW);
            if (library == nullptr) return fprintf(stderr, "%s\n", dlerror()), 1;
            auto* work = reinterpret_cast<void (*)()>(dlsym(library, "work"));
            same = same || before == reinterpret_cast<void*>(work);
            before = reinterpret_cast<void*>(work);
            work();
            if (dlclose(library) != 0) return 2;
        }
    return write(1, same ? "same\n" : "other\n", same ? 5 : 6) > 0 ? 0 : 3;
}

} // namespace

const scenario process_scenarios[] = {
    {"fork", fork_child},
    {"fork-free", fork_to_free},
    {"clone", raw_clone},
    {"forks", fork_of_fork},
    {"fork-threads", fork_among_threads},
    {"vfork", vfork_child},
    {"spawn", spawn},
    {"exec", exec},
    {"threads", threads},
    {"turns", threads_in_turn},
    {"late", late_frees},
    {"signals", signals},
    {"jumps", jumps},
    {"exceptions", exceptions},
    {"coroutines", coroutines},
    {"every-way", every_way},
    {"abort", abort_at_end},
    {"kill", kill_at_end},
    {"seccomp", seccomp},
    {"clearenv", no_environment},
    {"events", many_events},
    {"contexts", contexts},
    {"libraries", libraries},
};
const std::size_t process_scenario_count = sizeof process_scenarios / sizeof *process_scenarios;

} // namespace subject
