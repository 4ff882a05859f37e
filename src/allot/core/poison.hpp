// poison: makes dead bytes visible: AddressSanitizer and Valgrind report whoever touches them.
//
// For sources and structures: a block that is given back, a chunk's unused rest, a free slot are dead. Active
// where the file is compiled with AddressSanitizer, and at check level full; else each call is nothing.
// At level full dead bytes are also filled with 0xDD, and fresh ones with 0xCD where they need not read as
// zero, so that a use after free is seen without any tool.
// Under Valgrind the marks need level full and the header valgrind/memcheck.h when the library was built.
// Threads: any, on bytes that nobody else uses.
// Cost: off: none. Else a call into the sanitizer, or a memset and a Valgrind request, for each range.
//
//     mark_dead(chunk, size);             // reads and writes are reported from here on
//     mark_fresh(block, 40);              // may be written; Valgrind reports a read before that
//     mark_live(header, sizeof *header);  // may be read and written
#pragma once

#include <allot/core/checks.hpp>
#include <cstddef>

#if defined(__SANITIZE_ADDRESS__)
#    define ALLOT_HAS_ASAN 1
#elif defined(__has_feature)
#    if __has_feature(address_sanitizer)
#        define ALLOT_HAS_ASAN 1
#    endif
#endif
#ifndef ALLOT_HAS_ASAN
#    define ALLOT_HAS_ASAN 0
#endif

namespace allot {

inline constexpr bool poisons = ALLOT_HAS_ASAN || checks == check_level::full;

namespace detail {
void mark_dead(void* address, std::size_t size, bool fill) noexcept;
void mark_fresh(void* address, std::size_t size, bool fill) noexcept;
void mark_live(void* address, std::size_t size) noexcept;
} // namespace detail

// AddressSanitizer sees in grains of 8 bytes: a range should begin at a multiple of 8, and marks the grain of
// its last byte only when it covers the rest of it.
inline void mark_dead(void* address, std::size_t size) noexcept {
    if constexpr (poisons) detail::mark_dead(address, size, checks == check_level::full);
}
inline void mark_fresh(void* address, std::size_t size) noexcept {
    if constexpr (poisons) detail::mark_fresh(address, size, checks == check_level::full);
}
inline void mark_live(void* address, std::size_t size) noexcept {
    if constexpr (poisons) detail::mark_live(address, size);
}

} // namespace allot
