#include <recorder/preload/attach.hpp>
#include <recorder/preload/call_tree.hpp>

#include <recorder/preload/kernel.hpp>

#include <errno.h>

// What programs see of the library. Each function jumps through the fixed table, one indirect branch: to
// `start` at the first call, then to the real function (unobserved), count or full. The jump must stay a
// jump, since full mode takes the caller from the stack. `start` is re-entered by the dynamic linker's own
// allocations: those go to libc's functions by their other names.

extern "C" {
void* __libc_malloc(std::size_t);
void __libc_free(void*);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);
void* __libc_valloc(std::size_t);
void* __libc_pvalloc(std::size_t);
}

namespace allot::recorder {
namespace {

// The table as chosen, or, on the way there, null.
const allocation_functions* chosen() noexcept { return start() ? &ALLOT_FIXED.call : nullptr; }

void* start_malloc(std::size_t size) {
    const auto* call = chosen();
    return call != nullptr ? call->malloc(size) : __libc_malloc(size);
}
void start_free(void* block) {
    const auto* call = chosen();
    return call != nullptr ? call->free(block) : __libc_free(block);
}
void* start_calloc(std::size_t n, std::size_t each) {
    const auto* call = chosen();
    return call != nullptr ? call->calloc(n, each) : __libc_calloc(n, each);
}
void* start_realloc(void* old, std::size_t size) {
    const auto* call = chosen();
    return call != nullptr ? call->realloc(old, size) : __libc_realloc(old, size);
}
void* start_reallocarray(void* old, std::size_t n, std::size_t each) {
    if (const auto* call = chosen(); call != nullptr) return call->reallocarray(old, n, each);
    std::size_t size;
    if (!__builtin_mul_overflow(n, each, &size)) return __libc_realloc(old, size);
    errno = ENOMEM;
    return nullptr;
}
int start_posix_memalign(void** block, std::size_t align, std::size_t size) {
    if (const auto* call = chosen(); call != nullptr) return call->posix_memalign(block, align, size);
    if (align % sizeof(void*) != 0 || align == 0 || (align & (align - 1)) != 0) return EINVAL;
    *block = __libc_memalign(align, size);
    return *block != nullptr ? 0 : ENOMEM;
}
void* start_aligned_alloc(std::size_t align, std::size_t size) {
    const auto* call = chosen();
    return call != nullptr ? call->aligned_alloc(align, size) : __libc_memalign(align, size);
}
void* start_memalign(std::size_t align, std::size_t size) {
    const auto* call = chosen();
    return call != nullptr ? call->memalign(align, size) : __libc_memalign(align, size);
}
void* start_valloc(std::size_t size) {
    const auto* call = chosen();
    return call != nullptr ? call->valloc(size) : __libc_valloc(size);
}
void* start_pvalloc(std::size_t size) {
    const auto* call = chosen();
    return call != nullptr ? call->pvalloc(size) : __libc_pvalloc(size);
}
std::size_t start_usable_size(void* block) {
    if (const auto* call = chosen(); call != nullptr) return call->malloc_usable_size(block);
    if (block == nullptr) return 0;
    const std::size_t word = static_cast<std::size_t*>(block)[-1];
    return (word & ~std::size_t{7}) - ((word & 2) != 0 ? 16 : 8);
}

} // namespace

alignas(4096) constinit fixed_page fixed_storage = [] {
    fixed_page first{};
    first.state.call = {start_malloc,       start_free,           start_calloc,        start_realloc,
                        start_reallocarray, start_posix_memalign, start_aligned_alloc, start_memalign,
                        start_valloc,       start_pvalloc,        start_usable_size};
    return first;
}();

} // namespace allot::recorder

#define ALLOT_EXPORT extern "C" __attribute__((visibility("default")))

ALLOT_EXPORT void* malloc(std::size_t size) { return ALLOT_FIXED.call.malloc(size); }
ALLOT_EXPORT void free(void* block) { ALLOT_FIXED.call.free(block); }
ALLOT_EXPORT void* calloc(std::size_t n, std::size_t each) { return ALLOT_FIXED.call.calloc(n, each); }
ALLOT_EXPORT void* realloc(void* old, std::size_t size) { return ALLOT_FIXED.call.realloc(old, size); }
ALLOT_EXPORT void* reallocarray(void* old, std::size_t n, std::size_t each) {
    return ALLOT_FIXED.call.reallocarray(old, n, each);
}
ALLOT_EXPORT int posix_memalign(void** block, std::size_t align, std::size_t size) {
    return ALLOT_FIXED.call.posix_memalign(block, align, size);
}
ALLOT_EXPORT void* aligned_alloc(std::size_t align, std::size_t size) {
    return ALLOT_FIXED.call.aligned_alloc(align, size);
}
ALLOT_EXPORT void* memalign(std::size_t align, std::size_t size) {
    return ALLOT_FIXED.call.memalign(align, size);
}
ALLOT_EXPORT void* valloc(std::size_t size) { return ALLOT_FIXED.call.valloc(size); }
ALLOT_EXPORT void* pvalloc(std::size_t size) { return ALLOT_FIXED.call.pvalloc(size); }
ALLOT_EXPORT std::size_t malloc_usable_size(void* block) {
    return ALLOT_FIXED.call.malloc_usable_size(block);
}

ALLOT_EXPORT int dlclose(void* handle) {
    if (!allot::recorder::start()) return -1; // by a signal handler in the middle of the first allocation
    return allot::recorder::close_library(handle);
}

ALLOT_EXPORT void _exit(int code) {
    allot::recorder::note_exit(code);
    if (ALLOT_FIXED.real_exit != nullptr) ALLOT_FIXED.real_exit(code);
    allot::recorder::kernel::exit_group(code);
}
ALLOT_EXPORT void _Exit(int code) { _exit(code); }
