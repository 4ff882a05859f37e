// An independent count of what programs ask of malloc, preloaded behind the library: every call that a
// program makes arrives here too. It keeps its counts in the file that TRUTH names, so that any way to end
// leaves them.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

namespace {

struct counts {
    std::atomic<std::uint64_t> allocations, frees, reallocations, bytes;
};

counts& truth() {
    static counts* found;
    if (found != nullptr) return *found;
    static counts nowhere;
    const char* path = getenv("TRUTH");
    const int file = path != nullptr ? open(path, O_RDWR | O_CLOEXEC) : -1;
    void* mapped = file >= 0 ? mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0) : MAP_FAILED;
    if (file >= 0) close(file);
    found = mapped == MAP_FAILED ? &nowhere : static_cast<counts*>(mapped);
    return *found;
}

void* allocated(void* block, std::size_t size) {
    if (block != nullptr) ++truth().allocations, truth().bytes += size;
    return block;
}

} // namespace

extern "C" {
void* __libc_malloc(std::size_t);
void __libc_free(void*);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);

void* malloc(std::size_t size) { return allocated(__libc_malloc(size), size); }
void* calloc(std::size_t n, std::size_t each) { return allocated(__libc_calloc(n, each), n * each); }
void* memalign(std::size_t align, std::size_t size) { return allocated(__libc_memalign(align, size), size); }
void* aligned_alloc(std::size_t align, std::size_t size) {
    return allocated(__libc_memalign(align, size), size);
}
void free(void* block) {
    if (block != nullptr) ++truth().frees;
    __libc_free(block);
}
void* realloc(void* old, std::size_t size) {
    void* block = __libc_realloc(old, size);
    if (old == nullptr) return allocated(block, size);
    if (block == nullptr && size != 0) return nullptr;
    ++truth().frees;
    if (block != nullptr) ++truth().reallocations;
    return allocated(block, size);
}
// Its own, so that the sizes of its blocks can be asked.
std::size_t malloc_usable_size(void* block) {
    static auto* next = reinterpret_cast<std::size_t (*)(void*)>(dlsym(RTLD_NEXT, "malloc_usable_size"));
    return next(block);
}
}
