/* counting_preload: the independent oracle. Counts what docs/numbers.md calls allocations, frees, reallocations and
 * allocated bytes, per process image, in a file that survives exec, _exit and kill -9. Shares nothing with
 * the recorder: neither code nor the way it counts (shared atomics here, a slot for each thread there).
 *
 * COUNT_SEGMENT names the file, made beforehand: a page of zeroes, then slots of 64 bytes. The first word
 * counts the slots taken. All of it is mapped: with a larger file the program's own memory lies elsewhere.
 * The names of this library and of its variable are as long as the recorder's, so that programs which copy
 * their environment allocate the same. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

struct counts {
    uint64_t pid, allocations, frees, reallocations, bytes, unused[3];
};
static struct counts early, *mine = &early; /* early: before the constructor ran */
static char* file;
/* The C library allocates 16 bytes a thread for each library that has thread-local data, as the recorder's has. */
static __thread volatile char thread_local_data __attribute__((tls_model("initial-exec")));

#define ADD(field, n) __atomic_fetch_add(&mine->field, (n), __ATOMIC_RELAXED)
#define REAL(name)                                                                                           \
    static __typeof__(name)* real;                                                                           \
    if (!real) real = (__typeof__(name)*)dlsym(RTLD_NEXT, #name)

static void* counted(void* block, size_t size) {
    if (block) ADD(allocations, 1), ADD(bytes, size);
    return block;
}

static void take_slot(void) {
    if (file) mine = (struct counts*)(file + 4096) + __atomic_fetch_add((uint64_t*)file, 1, __ATOMIC_RELAXED);
    mine->pid = (uint64_t)getpid();
    thread_local_data = 1;
}

__attribute__((constructor)) static void begin(void) {
    const char* path = getenv("COUNT_SEGMENT");
    const int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    const off_t size = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);
    void* map = size <= 0 ? MAP_FAILED : mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (fd >= 0) close(fd);
    if (map == MAP_FAILED) return;
    file = map;
    take_slot();
    mine->allocations = early.allocations, mine->frees = early.frees;
    mine->reallocations = early.reallocations, mine->bytes = early.bytes;
    pthread_atfork(NULL, NULL, take_slot);
}

void* malloc(size_t size) {
    REAL(malloc);
    return counted(real(size), size);
}
void* calloc(size_t n, size_t size) {
    REAL(calloc);
    return counted(real(n, size), n * size);
}
void* aligned_alloc(size_t a, size_t size) {
    REAL(aligned_alloc);
    return counted(real(a, size), size);
}
void* memalign(size_t a, size_t size);
void* memalign(size_t a, size_t size) {
    REAL(memalign);
    return counted(real(a, size), size);
}
void* valloc(size_t size) {
    REAL(valloc);
    return counted(real(size), size);
}
void* pvalloc(size_t size);
void* pvalloc(size_t size) {
    REAL(pvalloc);
    return counted(real(size), size);
}
int posix_memalign(void** block, size_t a, size_t size) {
    REAL(posix_memalign);
    const int failed = real(block, a, size);
    if (!failed) counted(*block, size);
    return failed;
}
void free(void* block) {
    REAL(free);
    if (block) ADD(frees, 1);
    real(block);
}
void* realloc(void* old, size_t size) {
    REAL(realloc);
    void* block = counted(real(old, size), size);
    if (old && block) ADD(reallocations, 1);
    if (old && (block || size == 0)) ADD(frees, 1);
    return block;
}
void* reallocarray(void* old, size_t n, size_t size) {
    size_t all;
    if (__builtin_mul_overflow(n, size, &all)) return errno = ENOMEM, NULL;
    return realloc(old, all);
}
