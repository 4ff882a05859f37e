#include <allot/core/poison.hpp>
#include <cstring>

#if __has_include(<valgrind/memcheck.h>)
#    include <valgrind/memcheck.h>
#    define ALLOT_HAS_VALGRIND_HEADER 1
#else
#    define ALLOT_HAS_VALGRIND_HEADER 0
#endif

// Weak: this library also serves sanitized programs when it is not sanitized itself.
extern "C" {
[[gnu::weak]] void __asan_poison_memory_region(void const volatile* address, std::size_t size);
[[gnu::weak]] void __asan_unpoison_memory_region(void const volatile* address, std::size_t size);
}

namespace allot::detail {
namespace {

constexpr int dead_fill = 0xDD;
constexpr int fresh_fill = 0xCD;

void unpoison(void* address, std::size_t size) noexcept {
    if (__asan_unpoison_memory_region) __asan_unpoison_memory_region(address, size);
#if ALLOT_HAS_VALGRIND_HEADER
    VALGRIND_MAKE_MEM_UNDEFINED(address, size);
#endif
}

} // namespace

void mark_dead(void* address, std::size_t size, bool fill) noexcept {
    if (fill) {
        unpoison(address, size); // parts of it may be dead already
        std::memset(address, dead_fill, size);
    }
    if (__asan_poison_memory_region) __asan_poison_memory_region(address, size);
#if ALLOT_HAS_VALGRIND_HEADER
    VALGRIND_MAKE_MEM_NOACCESS(address, size);
#endif
}

void mark_fresh(void* address, std::size_t size, bool fill) noexcept {
    unpoison(address, size);
    if (fill) {
        std::memset(address, fresh_fill, size);
#if ALLOT_HAS_VALGRIND_HEADER
        VALGRIND_MAKE_MEM_UNDEFINED(address, size);
#endif
    }
}

void mark_live(void* address, std::size_t size) noexcept {
    if (__asan_unpoison_memory_region) __asan_unpoison_memory_region(address, size);
#if ALLOT_HAS_VALGRIND_HEADER
    VALGRIND_MAKE_MEM_DEFINED(address, size);
#endif
}

} // namespace allot::detail
