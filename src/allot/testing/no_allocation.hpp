// no_allocation: a scope in which the calling thread must not take memory from malloc or operator new.
//
// Use it to show that a hot path takes its memory from its source alone, or takes none. Scopes count what
// happens inside them, so that it does not matter what ran before. For all blocks of a whole program use
// `allot run`. Sees: malloc, calloc, realloc, reallocarray, aligned_alloc, memalign, posix_memalign, valloc,
// pvalloc, and with them operator new and the C library's own calls, made by this thread. Does not see: other
// threads, free, mmap and sbrk, page faults, memory of an allocator with entry points of its own.
// What an auditing_source or a leak_check and its upstream take is allowed: it was asked for by way of a
// source. allocation_allowed does the same by hand.
// The test executable links the CMake target `allot::no_allocation_hooks`, which has these functions and
// passes on to the next malloc; under a sanitizer it uses the sanitizer's hooks.
// Under Valgrind, which puts its own malloc before every other, sees() is false and nothing is counted. Under
// ThreadSanitizer, whose runtime calls no hook there, the aligned functions are not seen.
// Threads: scopes are their thread's own; they nest, and the outer counts what the inner saw.
// Cost: two thread-local words per allocation.
//
// Fatal:
//     no_allocation: SIZE bytes were allocated           (at the allocation, unless on_finding::collect)
//     no_allocation: this executable is not linked with allot::no_allocation_hooks
//
//     no_allocation scope({.on_finding = on_finding::collect});
//     std::vector<int> numbers(10);
//     use(numbers); // else a compiler may leave them out
//     assert(scope.count() == 1 && scope.bytes() == 10 * sizeof(int));
#pragma once

#include <allot/testing/on_finding.hpp>
#include <cstdint>

namespace allot {

struct no_allocation_options {
    allot::on_finding on_finding = allot::on_finding::fatal;
};

class [[nodiscard]] no_allocation {
public:
    explicit no_allocation(const no_allocation_options& options = {}) noexcept;
    ~no_allocation();
    no_allocation(const no_allocation&) = delete;
    no_allocation& operator=(const no_allocation&) = delete;

    // Since the scope began; what lies in an allocation_allowed does not count.
    std::uint64_t count() const noexcept;
    std::uint64_t bytes() const noexcept;

    // False where the hooks are not reached (Valgrind): then count() is 0 whatever happens.
    static bool sees() noexcept;

private:
    std::uint64_t count_before_;
    std::uint64_t bytes_before_;
    bool fatal_before_;
};

// A part of a no_allocation scope, on the same thread, in which allocation is not a finding.
class [[nodiscard]] allocation_allowed {
public:
    allocation_allowed() noexcept;
    ~allocation_allowed();
    allocation_allowed(const allocation_allowed&) = delete;
    allocation_allowed& operator=(const allocation_allowed&) = delete;
};

namespace detail {
// The hooks tell of each allocation of the calling thread.
void allocation_seen(std::size_t size) noexcept;
} // namespace detail

} // namespace allot
