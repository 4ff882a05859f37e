// An allocator that may be interrupted anywhere, for programs whose signal handlers allocate. It never reuses
// memory within a lap of its 64 MiB, and counts what it did: `bump_calls` is the truth that a test compares
// with.

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace {
alignas(4096) char memory[std::size_t{64} << 20];
std::atomic<std::uint64_t> used;
constexpr std::size_t header = 16;
} // namespace

#define EXPORT extern "C" __attribute__((visibility("default")))

EXPORT void* malloc(std::size_t size) {
    const std::size_t bytes = (size + header + 15) & ~std::size_t{15};
    if (bytes > sizeof memory / 2) {
        errno = ENOMEM;
        return nullptr;
    }
    for (;;) {
        const std::uint64_t at = used.fetch_add(bytes) % sizeof memory;
        if (at + bytes > sizeof memory) continue;
        auto* block = memory + at + header;
        reinterpret_cast<std::size_t*>(block)[-1] = size;
        return block;
    }
}
EXPORT void free(void*) {}
EXPORT void* calloc(std::size_t n, std::size_t each) {
    void* block = malloc(n * each);
    return block != nullptr ? memset(block, 0, n * each) : nullptr;
}
EXPORT std::size_t malloc_usable_size(void* block) {
    return block != nullptr ? reinterpret_cast<std::size_t*>(block)[-1] : 0;
}
EXPORT void* realloc(void* old, std::size_t size) {
    void* block = malloc(size);
    if (block != nullptr && old != nullptr) {
        const std::size_t before = malloc_usable_size(old);
        memcpy(block, old, before < size ? before : size);
    }
    return block;
}
