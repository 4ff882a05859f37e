// The functions of malloc, in front of the real ones, for executables that use no_allocation.
//
// Danger: these run in every allocation of the process, before main and inside the dynamic loader too. They
// allocate nothing themselves, take no lock, and touch only constinit thread-local words of the executable.
// dlsym, which finds the next malloc, allocates nothing while it succeeds (glibc ≥ 2.34); should it ever, the
// inner call is refused rather than looped. free is not among them, so that a block always goes back to the
// allocator that made it. fork needs nothing: there is no state but the thread's own.
// A sanitizer owns malloc: there its own hooks are used, and nothing is put in front of it.
#include <allot/core/bytes.hpp>
#include <allot/testing/no_allocation.hpp>
#include <cstddef>

extern "C" void allot_no_allocation_hooks_linked() noexcept {}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#    define ALLOT_SANITIZER_OWNS_MALLOC 1
#elif defined(__has_feature)
#    if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#        define ALLOT_SANITIZER_OWNS_MALLOC 1
#    endif
#endif

#ifdef ALLOT_SANITIZER_OWNS_MALLOC

extern "C" int __sanitizer_install_malloc_and_free_hooks(void (*on_malloc)(const volatile void*, std::size_t),
                                                         void (*on_free)(const volatile void*));

namespace {

void seen(const volatile void*, std::size_t size) { allot::detail::allocation_seen(size); }
void freed(const volatile void*) {}

[[maybe_unused]] const int installed = __sanitizer_install_malloc_and_free_hooks(seen, freed);

} // namespace

#else

#    include <cerrno>
#    include <dlfcn.h>

namespace {

// The next function of that name, found once: racing threads find the same.
template <class Function>
Function* next(Function*& known, const char* name) noexcept {
    Function* found = __atomic_load_n(&known, __ATOMIC_RELAXED);
    if (found) [[likely]]
        return found;
    static constinit thread_local bool searching = false;
    if (searching) return nullptr;
    searching = true;
    found = reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
    searching = false;
    __atomic_store_n(&known, found, __ATOMIC_RELAXED);
    return found;
}

using allot::detail::allocation_seen;

void* (*next_malloc)(std::size_t);
void* (*next_calloc)(std::size_t, std::size_t);
void* (*next_realloc)(void*, std::size_t);
void* (*next_aligned_alloc)(std::size_t, std::size_t);
void* (*next_memalign)(std::size_t, std::size_t);
int (*next_posix_memalign)(void**, std::size_t, std::size_t);
void* (*next_valloc)(std::size_t);
void* (*next_pvalloc)(std::size_t);

void* refuse() noexcept {
    errno = ENOMEM;
    return nullptr;
}

} // namespace

extern "C" {

void* malloc(std::size_t size) noexcept {
    allocation_seen(size);
    const auto real = next(next_malloc, "malloc");
    return real ? real(size) : refuse();
}

void* calloc(std::size_t count, std::size_t size) noexcept {
    allocation_seen(count * size);
    const auto real = next(next_calloc, "calloc");
    return real ? real(count, size) : refuse();
}

void* realloc(void* address, std::size_t size) noexcept {
    allocation_seen(size);
    const auto real = next(next_realloc, "realloc");
    return real ? real(address, size) : refuse();
}

// By way of the one above: whether the C library's own calls it is not known, and it must count once.
void* reallocarray(void* address, std::size_t count, std::size_t size) noexcept {
    std::size_t bytes = 0;
    return allot::checked_multiply(count, size, bytes) ? realloc(address, bytes) : refuse();
}

void* aligned_alloc(std::size_t align, std::size_t size) noexcept {
    allocation_seen(size);
    const auto real = next(next_aligned_alloc, "aligned_alloc");
    return real ? real(align, size) : refuse();
}

void* memalign(std::size_t align, std::size_t size) noexcept {
    allocation_seen(size);
    const auto real = next(next_memalign, "memalign");
    return real ? real(align, size) : refuse();
}

int posix_memalign(void** out, std::size_t align, std::size_t size) noexcept {
    allocation_seen(size);
    const auto real = next(next_posix_memalign, "posix_memalign");
    return real ? real(out, align, size) : ENOMEM;
}

void* valloc(std::size_t size) noexcept {
    allocation_seen(size);
    const auto real = next(next_valloc, "valloc");
    return real ? real(size) : refuse();
}

void* pvalloc(std::size_t size) noexcept {
    allocation_seen(size);
    const auto real = next(next_pvalloc, "pvalloc");
    return real ? real(size) : refuse();
}

} // extern "C"

#endif
