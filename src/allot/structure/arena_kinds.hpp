// arena_kinds: ready-made options for an arena, by what its blocks live for.
//
// Use them where you know what an arena is for, and have measured nothing yet. With figures of your own take
// arena_options; for the arenas of modules that come and go by name module_arenas.
//
//     kind      first chunk  largest  kept by reset()  made for
//     request   16 KiB       256 KiB  1 MiB            thousands a second, one after the other; a large one
//                                                      leaves no large arena behind
//     parse     64 KiB       2 MiB    8 MiB            a file or a document at a time, of all sizes
//     graph     1 MiB        2 MiB    all              built once, large: huge pages
//     module    4 KiB        256 KiB  nothing          lives long, mostly small: whole chunks are its waste
//
// Owns nothing. Threads: any. Cost: none.
//
//     arena request(request_arena({.limit_bytes = mebibytes(4)}));
//     (void)request.allocate(mebibytes(3));
//     request.reset();
//     assert(request.usage().held_bytes <= mebibytes(1) && request.name().view() == "request");
#pragma once

#include <allot/structure/arena.hpp>

namespace allot {

struct arena_kind_options {
    allot::name name = {};                        // without one: the kind's
    memory_source* upstream = nullptr;            // borrowed; nullptr: default_source()
    std::uint64_t limit_bytes = usage::unlimited; // held at most
};

namespace detail {
constexpr arena_options arena_of_kind(const arena_kind_options& how, const char* kind) noexcept {
    return {.name = how.name.view().empty() ? allot::name(kind) : how.name,
            .upstream = how.upstream,
            .limit_bytes = how.limit_bytes};
}
} // namespace detail

constexpr arena_options request_arena(const arena_kind_options& how = {}) noexcept {
    arena_options made = detail::arena_of_kind(how, "request");
    made.chunk_bytes_min = kibibytes(16);
    made.chunk_bytes_max = kibibytes(256);
    made.retain_bytes_max = mebibytes(1) - kibibytes(16); // besides the first chunk
    return made;
}

constexpr arena_options parse_arena(const arena_kind_options& how = {}) noexcept {
    arena_options made = detail::arena_of_kind(how, "parse");
    made.chunk_bytes_min = kibibytes(64);
    made.retain_bytes_max = mebibytes(8) - kibibytes(64);
    return made;
}

constexpr arena_options graph_arena(const arena_kind_options& how = {}) noexcept {
    arena_options made = detail::arena_of_kind(how, "graph");
    made.chunk_bytes_min = mebibytes(1);
    made.huge_pages = true;
    return made;
}

constexpr arena_options module_arena(const arena_kind_options& how = {}) noexcept {
    arena_options made = detail::arena_of_kind(how, "module");
    made.chunk_bytes_max = kibibytes(256);
    made.retain_bytes_max = 0;
    return made;
}

} // namespace allot
