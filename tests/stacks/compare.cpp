// A library to preload into real programs: takes the stack of every allocation with stack_cache and with libunwind,
// compares them frame by frame, and appends one line per process to the file that ALLOT_STACKS_OUTPUT names:
//
//     <program> compared <n> complete <n> unknown <n> mismatches <n> frames <n> unchanged <n>
//
// Built twice: the second time with ALLOT_STACK_CACHE_NO_VERIFY, which must find mismatches in the same programs.
// libunwind may allocate and lock inside, which is why this is a test and not the recorder: hooks pass through while
// it works (`busy`), and it is asked only after this library's constructor.
#include <allot/platform/call_stack.hpp>

#include <cerrno>
#include <cstdio>
#include <cstdlib>

#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#define UNW_LOCAL_ONLY
#include <libunwind.h>

extern "C" {
void* __libc_malloc(std::size_t) noexcept;
void* __libc_calloc(std::size_t, std::size_t) noexcept;
void* __libc_realloc(void*, std::size_t) noexcept;
}

namespace {

constexpr std::uint64_t compared_max = 400'000; // for each process; keeps the test short
constexpr int oracle_max = 4096;

alignas(64) std::uint64_t table[2 << 16];
constinit allot::unwind_rules rules;
constinit bool is_ready = false;

struct counts {
    std::uint64_t compared, complete, unknown, mismatches, frames, unchanged;
};
constinit counts totals{};

struct thread_state {
    allot::stack_cache cache;
    allot::stack_bounds bounds;
    void* oracle[oracle_max];
};
[[gnu::tls_model("initial-exec")]] constinit thread_local thread_state* mine = nullptr;
[[gnu::tls_model("initial-exec")]] constinit thread_local bool is_busy = false;

void add(std::uint64_t& to, std::uint64_t what) { __atomic_fetch_add(&to, what, __ATOMIC_RELAXED); }

bool agrees(const thread_state& state, const allot::captured_stack& now, const void* const* oracle,
            int count) {
    const auto address = [&](std::uint32_t i) { return state.cache.return_address(now.count - 1 - i); };
    int at = 0;
    while (at != count && reinterpret_cast<std::uint64_t>(oracle[at]) != address(0)) ++at;
    std::uint32_t same = 0;
    for (; at != count && same != now.count; ++at, ++same)
        if (reinterpret_cast<std::uint64_t>(oracle[at]) != address(same)) return false;
    if (same != now.count) return false; // libunwind sees fewer frames
    while (at != count && oracle[at] == nullptr) ++at;
    return at == count || now.end != allot::stack_end::complete;
}

void report_mismatch(const thread_state& state, const allot::captured_stack& now, int count) {
    const char* name = std::getenv("ALLOT_STACKS_DETAILS");
    if (name == nullptr) return;
    std::FILE* out = std::fopen(name, "a");
    if (out == nullptr) return;
    std::fprintf(out, "%s end %d unchanged %u\n", program_invocation_short_name, static_cast<int>(now.end),
                 now.unchanged);
    for (std::uint32_t i = 0; i != now.count; ++i)
        std::fprintf(out, "  ours   %#lx\n", state.cache.return_address(now.count - 1 - i));
    for (int i = 0; i != count; ++i) std::fprintf(out, "  oracle %p\n", state.oracle[i]);
    std::fclose(out);
}

[[gnu::noinline]] void compare(const void* frame) {
    if (mine == nullptr) {
        void* pages =
            mmap(nullptr, sizeof(thread_state), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (pages == MAP_FAILED) return;
        mine = static_cast<thread_state*>(pages);
        mine->bounds = allot::current_thread_bounds();
    }
    const allot::captured_stack now = mine->cache.capture(rules, frame, mine->bounds);
    const int count = unw_backtrace(mine->oracle, oracle_max);
    add(totals.compared, 1);
    add(now.end == allot::stack_end::complete ? totals.complete : totals.unknown, 1);
    add(totals.frames, now.count);
    add(totals.unchanged, now.unchanged);
    if (agrees(*mine, now, mine->oracle, count)) return;
    add(totals.mismatches, 1);
    if (totals.mismatches <= 5) report_mismatch(*mine, now, count);
}

void note(const void* frame) {
    if (!is_ready || is_busy || totals.compared >= compared_max) return;
    is_busy = true;
    const int error = errno;
    compare(frame);
    errno = error;
    is_busy = false;
}

__attribute__((constructor)) void start() {
    rules.use(table, std::size_t{1} << 16);
    unw_set_caching_policy(unw_local_addr_space, UNW_CACHE_PER_THREAD);
    void* warm_up[8];
    is_busy = true;
    unw_backtrace(warm_up, 8);
    is_busy = false;
    // A forked child would count its parent's stacks once more.
    pthread_atfork(nullptr, nullptr, [] { is_ready = false; });
    is_ready = true;
}

__attribute__((destructor)) void finish() {
    const char* name = std::getenv("ALLOT_STACKS_OUTPUT");
    if (!is_ready || name == nullptr) return;
    is_ready = false;
    char line[256];
    const int length =
        std::snprintf(line, sizeof line,
                      "%s compared %lu complete %lu unknown %lu mismatches %lu frames %lu unchanged %lu\n",
                      program_invocation_short_name, totals.compared, totals.complete, totals.unknown,
                      totals.mismatches, totals.frames, totals.unchanged);
    const int file = open(name, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (file >= 0 && write(file, line, static_cast<std::size_t>(length)) != length) std::abort();
    if (file >= 0) close(file);
}

} // namespace

extern "C" {

[[gnu::visibility("default")]] void* malloc(std::size_t size) noexcept {
    void* block = __libc_malloc(size);
    note(__builtin_frame_address(0));
    return block;
}
[[gnu::visibility("default")]] void* calloc(std::size_t count, std::size_t size) noexcept {
    void* block = __libc_calloc(count, size);
    note(__builtin_frame_address(0));
    return block;
}
[[gnu::visibility("default")]] void* realloc(void* old, std::size_t size) noexcept {
    void* block = __libc_realloc(old, size);
    note(__builtin_frame_address(0));
    return block;
}

} // extern "C"
