// operation_context: the memory of one operation: from an arena where there is one, else from the main
// allocator; all of it goes at the operation's end.
//
// Use it in code that works with an arena and without: a primitive takes a memory_source, and whoever calls
// it decides. Blocks that the arena refuses come from the main allocator, too, counted, and nobody need give
// them back. Where there always is an arena take arena::scope; for temporaries of a thread take scratch. A
// context of an operation that another one calls is made from the caller's context: both use the arena in
// turn, the inner one's end or reset() leaves the caller's memory alone, and what the caller asks for while
// the inner one is open comes from the main allocator, so that it does not end with the inner one.
// Owns its blocks; borrows the arena, the main allocator (upstream) and the caller's context. What else takes
// from the arena must do so before the context begins or after it has ended.
// Threads: thread-compatible. describe() from any.
// Cost: over the arena a virtual call and the counting of a block; one from the main allocator has 32 bytes
// of its own before it (more where it is aligned to more than 16). A reset is the arena's scope and one call
// upstream for each such block that still lives.
//
//     void brighten(operation_context& caller) {
//         operation_context own({.name = "brighten"}, caller);
//         std::pmr::vector<int> row(1000, 7, &own);
//     } // row's bytes are gone; the caller's are not
//     arena frame;
//     operation_context render({.name = "render", .from = &frame}); // without .from: from default_source()
//     void* kept = render.allocate(100);
//     brighten(render);
//     assert(render.usage().live_count == 1 && frame.owns(kept));
//     render.reset(); // ready for the next operation
//
// Fatal, at check level on:
//     allot: fatal: operation_context 'NAME': reset (or end) with N open contexts of callees
//     allot: fatal: operation_context 'NAME': ADDRESS (N bytes) is not a live block of this operation
#pragma once

#include <allot/core/checks.hpp>
#include <allot/core/memory_source.hpp>
#include <allot/source/block_counters.hpp>
#include <allot/structure/arena.hpp>
#include <optional>

namespace allot {

struct operation_context_options {
    allot::name name = "operation";
    arena* from = nullptr;             // borrowed; nullptr: the caller's, or none
    memory_source* upstream = nullptr; // borrowed; nullptr: the caller's, or default_source()
};

class operation_context final : public memory_source {
public:
    explicit operation_context(const operation_context_options& options = {}) noexcept;
    operation_context(const operation_context_options& options, operation_context& caller) noexcept;
    ~operation_context() override;

    // Ends what the operation took, from wherever, and begins the next.
    void reset() noexcept;

    // Live and held blocks of both kinds; refused are those that the main allocator refused, too.
    allot::usage usage() const noexcept { return all_.read(); }
    // Of these, what the main allocator gave; held with what such blocks have of their own.
    allot::usage fallback_usage() const noexcept { return fallback_.read(); }
    std::uint64_t reset_count() const noexcept { return reset_count_; }
    bool has_arena() const noexcept { return arena_ != nullptr; }
    const allot::name& name() const noexcept { return name_; }
    void check() const noexcept; // fatal unless the list of the main allocator's blocks agrees with the books

private:
    struct header;

    void* do_try_allocate(layout wanted) noexcept override;
    void do_give_back(void* address, layout given) noexcept override;
    bool do_try_resize(void* address, layout given, std::size_t new_size) noexcept override;
    source_traits do_traits() const noexcept override { return {.bulk_free = true}; }
    source_description do_describe() const noexcept override;

    static bool try_with_header(layout inner, layout& outer) noexcept;
    static std::size_t front_bytes(std::size_t align) noexcept;
    bool is_from_main(const void* address) const noexcept;
    void* fall_back(layout wanted) noexcept;
    void end_blocks() noexcept;
    void check_can_end(const char* what) const noexcept;
    header& checked_header(void* address, layout given) const noexcept;
    void forget(header& gone) noexcept;

    const allot::name name_;
    arena* const arena_;              // borrowed, or nullptr
    memory_source& upstream_;         // borrowed
    operation_context* const caller_; // borrowed, or nullptr
    std::uint64_t open_callees_ = 0;  // at any depth
    std::uint64_t arena_takers_ = 0;  // of these, those on the same arena
    std::uint64_t reset_count_ = 0;
    header* newest_ = nullptr; // of the main allocator's blocks
    std::optional<arena::scope> scope_;
    detail::owned_block_counters all_;      // live_count == blocks of the arena and of the list
    detail::owned_block_counters fallback_; // live_count == length of the list
};

} // namespace allot
