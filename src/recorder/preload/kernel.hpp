// kernel: the system calls that the hooks make, without the C library between.
//
// Use it in this library only: a wrapper of libc's would set errno in the middle of somebody's malloc, may be
// interposed by another preloaded library that allocates, or is a cancellation point. Answers are the
// kernel's own: a negative number is -errno. Threads: any, also in signal handlers and before libc has
// started. After the start only map() (and futexes, platform/threads) are used, since a seccomp filter may
// forbid the rest.
//
//     void* memory = kernel::map(1 << 16);
//     if (memory == nullptr) return; // no memory: do without
#pragma once

#include <cstddef>
#include <cstdint>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

namespace allot::recorder::kernel {

inline long call(long number, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0,
                 long f = 0) noexcept {
    long answer;
    register long r10 asm("r10") = d;
    register long r8 asm("r8") = e;
    register long r9 asm("r9") = f;
    asm volatile("syscall"
                 : "=a"(answer)
                 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                 : "rcx", "r11", "memory");
    return answer;
}

inline void* mapped(long answer) noexcept {
    return answer < 0 && answer > -4096 ? nullptr : reinterpret_cast<void*>(answer);
}

// Private zeroed memory, backed as it is touched. Null: none left.
inline void* map(std::size_t bytes) noexcept {
    return mapped(call(SYS_mmap, 0, static_cast<long>(bytes), PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
}

inline void* map_shared(int file, std::size_t bytes) noexcept {
    return mapped(call(SYS_mmap, 0, static_cast<long>(bytes), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0));
}

inline void unmap(void* memory, std::size_t bytes) noexcept {
    call(SYS_munmap, reinterpret_cast<long>(memory), static_cast<long>(bytes));
}

// A child of a fork (or of a raw clone) finds zeroes there instead of a copy.
inline bool wipe_on_fork(void* memory, std::size_t bytes) noexcept {
    return call(SYS_madvise, reinterpret_cast<long>(memory), static_cast<long>(bytes), MADV_WIPEONFORK) == 0;
}

inline bool make_read_only(void* memory, std::size_t bytes) noexcept {
    return call(SYS_mprotect, reinterpret_cast<long>(memory), static_cast<long>(bytes), PROT_READ) == 0;
}

inline int open_shared(const char* path) noexcept {
    return static_cast<int>(
        call(SYS_openat, AT_FDCWD, reinterpret_cast<long>(path), O_RDWR | O_CLOEXEC | O_NOCTTY));
}

inline void close(int file) noexcept { call(SYS_close, file); }

// Size in bytes of an open regular file; 0 for anything else.
inline std::uint64_t file_size(int file) noexcept {
    struct stat status;
    if (call(SYS_fstat, file, reinterpret_cast<long>(&status)) != 0 || !S_ISREG(status.st_mode)) return 0;
    return static_cast<std::uint64_t>(status.st_size);
}

// Answers the length; 0 if it cannot be read.
inline std::size_t read_link(const char* path, char* text, std::size_t capacity) noexcept {
    const long length = call(SYS_readlink, reinterpret_cast<long>(path), reinterpret_cast<long>(text),
                             static_cast<long>(capacity));
    return length < 0 ? 0 : static_cast<std::size_t>(length);
}

inline std::uint32_t process_id() noexcept { return static_cast<std::uint32_t>(call(SYS_getpid)); }
inline std::uint32_t parent_id() noexcept { return static_cast<std::uint32_t>(call(SYS_getppid)); }
inline std::uint32_t thread_id() noexcept { return static_cast<std::uint32_t>(call(SYS_gettid)); }

// The soft limit of the main thread's stack; ~0: none.
inline std::uint64_t stack_limit() noexcept {
    struct rlimit limit;
    if (call(SYS_prlimit64, 0, RLIMIT_STACK, 0, reinterpret_cast<long>(&limit)) != 0) return 0;
    return limit.rlim_cur == RLIM_INFINITY ? ~std::uint64_t{0} : limit.rlim_cur;
}

[[noreturn]] inline void exit_group(int code) noexcept {
    for (;;) call(SYS_exit_group, code);
}

} // namespace allot::recorder::kernel
