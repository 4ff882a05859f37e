// handles: where a C++ program meets allot.h: a memory_source as an allot_source, and the other way round.
//
// Use it in programs of both languages: a C part gets a source that the C++ part made, with as_c; a C++ part
// gives its containers a heap's tag or an arena that C made, with as_source. Programs of one language need it
// not.
// Owns nothing: what it converts lives as long as it did.
// Threads: as the source.
// Cost: none; the two are one address.
//
//     malloc_source memory({.name = "plug-in"});
//     allot_arena_options options = {};
//     options.upstream = as_c(memory);
//     allot_arena* made = nullptr;
//     assert(allot_arena_create(&options, &made) == ALLOT_OK);
//     allot_source* below = nullptr;
//     assert(allot_arena_source(made, &below) == ALLOT_OK);
//     { std::pmr::vector<int> numbers(100, 7, &as_source(below)); }
//     allot_arena_destroy(made);
#pragma once

#include <allot/allot.h>
#include <allot/core/memory_source.hpp>
#include <allot/core/name.hpp>
#include <allot/core/result.hpp>
#include <allot/core/usage.hpp>
#include <allot/source/default_source.hpp>
#include <new>
#include <utility>

namespace allot {

// nullptr is the default source.
inline memory_source& as_source(allot_source* from) noexcept {
    return from ? *reinterpret_cast<memory_source*>(from) : default_source();
}
inline allot_source* as_c(memory_source& from) noexcept { return reinterpret_cast<allot_source*>(&from); }

namespace detail {

// Notes the failure for allot_last_error(), and answers it. `what` lives for ever; it stands for the words of
// last_refusal() where the status is ALLOT_OUT_OF_MEMORY and it is nullptr.
[[gnu::cold]] allot_status fail(allot_status status, const char* what = nullptr) noexcept;
// The same, in words that do not live: the first 511 bytes are copied.
[[gnu::cold]] allot_status fail(allot_status status, const error& why) noexcept;
[[gnu::cold]] inline std::nullptr_t fail_empty(allot_status status, const char* what = nullptr) noexcept {
    fail(status, what);
    return nullptr;
}
// A pointer that is nullptr on shortage.
template <class T>
T* noting_shortage(T* got) noexcept {
    if (!got) [[unlikely]]
        fail(ALLOT_OUT_OF_MEMORY);
    return got;
}

// What C calls an arena: the arena, and whose memory it stands in itself.
template <class T>
struct handle {
    memory_source& memory; // borrowed
    T it;
};

template <class Handle, class Make>
allot_status make_handle(memory_source& memory, Handle** out, Make make) noexcept {
    void* const place = memory.try_allocate(layout_of<Handle>());
    if (!place) return fail(ALLOT_OUT_OF_MEMORY);
    *out = ::new (place) Handle{{memory, make()}};
    return ALLOT_OK;
}
template <class Handle>
void destroy_handle(Handle* gone) noexcept {
    if (!gone) return;
    memory_source& memory = gone->memory;
    gone->~Handle();
    memory.deallocate(gone, layout_of<Handle>());
}

inline name name_or(const char* wanted, const char* otherwise) noexcept {
    return wanted ? name(wanted) : name(otherwise);
}
inline std::uint64_t limit_or_none(std::uint64_t bytes) noexcept {
    return bytes == 0 ? usage::unlimited : bytes;
}
allot_usage to_c(const usage& now) noexcept;

} // namespace detail
} // namespace allot
