// Runs inside malloc hooks of foreign programs. So: no lock and no allocation, errno as it was found, and the
// thread-local variable in the initial-exec model, since the general one may allocate at a thread's first
// access.
#include <allot/platform/threads.hpp>

#include <cerrno>
#include <ctime>
#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace allot {
namespace {

__attribute__((tls_model("initial-exec"))) constinit thread_local std::uint32_t cached_thread_id = 0;

class errno_kept {
public:
    ~errno_kept() { errno = found_; }

private:
    int found_ = errno;
};

} // namespace

std::uint32_t thread_id() noexcept {
    if (cached_thread_id == 0) [[unlikely]]
        cached_thread_id = static_cast<std::uint32_t>(::syscall(SYS_gettid)); // cannot fail
    return cached_thread_id;
}

void forget_thread_id() noexcept { cached_thread_id = 0; }

unsigned cpu_count() noexcept {
    const errno_kept keep;
    // The system call rather than sched_getaffinity: it says how many bytes it needs, on machines of any
    // size.
    constexpr unsigned word_bits = 8 * sizeof(unsigned long);
    unsigned long mask[8192 / word_bits];
    const long bytes = ::syscall(SYS_sched_getaffinity, 0, sizeof mask, mask);
    unsigned count = 0;
    for (long word = 0; word < bytes / static_cast<long>(sizeof mask[0]); ++word)
        count += static_cast<unsigned>(__builtin_popcountl(mask[word]));
    return count == 0 ? 1 : count;
}

futex_answer futex_wait(const std::uint32_t* word, std::uint32_t expected, std::uint64_t timeout_ns,
                        futex_scope scope) noexcept {
    const errno_kept keep;
    constexpr std::uint64_t second_ns = 1'000'000'000;
    const timespec timeout{.tv_sec = static_cast<time_t>(timeout_ns / second_ns),
                           .tv_nsec = static_cast<long>(timeout_ns % second_ns)};
    const int operation = scope == futex_scope::process_shared ? FUTEX_WAIT : FUTEX_WAIT_PRIVATE;
    const long answer = ::syscall(SYS_futex, word, operation, expected,
                                  timeout_ns == futex_no_timeout ? nullptr : &timeout, nullptr, 0);
    if (answer == 0 || errno == EINTR) return futex_answer::woken;
    if (errno == EAGAIN) return futex_answer::changed;
    if (errno == ETIMEDOUT) return futex_answer::timed_out;
    return futex_answer::refused;
}

unsigned futex_wake(const std::uint32_t* word, unsigned count, futex_scope scope) noexcept {
    const errno_kept keep;
    constexpr unsigned count_max = 0x7fff'ffff;
    const int operation = scope == futex_scope::process_shared ? FUTEX_WAKE : FUTEX_WAKE_PRIVATE;
    if (count > count_max) count = count_max;
    const long woken = ::syscall(SYS_futex, word, operation, count, nullptr, nullptr, 0);
    return woken < 0 ? 0 : static_cast<unsigned>(woken);
}

bool backoff::again() noexcept {
    if (round_ < spin_rounds) {
        for (unsigned pauses = 1u << round_; pauses != 0; --pauses) spin_pause();
    } else if (round_ < spin_rounds + yield_rounds) {
        const errno_kept keep;
        ::sched_yield();
    } else {
        return false;
    }
    ++round_;
    return true;
}

void light_mutex::lock_contended() noexcept {
    for (backoff pause; pause.again();)
        if (__atomic_load_n(&state_, __ATOMIC_RELAXED) == unlocked && try_lock()) return;
    // From here on the mutex is taken as contended: whether others still sleep is not known.
    while (__atomic_exchange_n(&state_, contended, __ATOMIC_ACQUIRE) != unlocked)
        if (futex_wait(&state_, contended, futex_no_timeout) == futex_answer::refused) ::sched_yield();
}

} // namespace allot
