#include <allot/structure/arena.hpp>

#include <algorithm>
#include <allot/c/handles.hpp>
#include <cstring>

struct allot_arena : allot::detail::handle<allot::arena> {};

using namespace allot;

static_assert(sizeof(allot_arena_mark) == sizeof(arena_mark) &&
              alignof(allot_arena_mark) == alignof(arena_mark) && std::is_trivially_copyable_v<arena_mark>);

namespace {

constexpr const char* no_arena = "no arena: NULL";

// The block; or nullptr, and the failure is noted. `From` may be nullptr where nothing is copied.
void* allocate(allot_arena* from, std::size_t size, std::size_t align) noexcept {
    if (!from) return detail::fail_empty(ALLOT_BAD_ARGUMENT, no_arena);
    return detail::noting_shortage(from->it.try_allocate(layout{.size = size, .align = align}));
}

} // namespace

allot_status allot_arena_create(const allot_arena_options* options, allot_arena** out) {
    if (!out) return detail::fail(ALLOT_BAD_ARGUMENT, "allot_arena_create: nowhere to put the arena");
    *out = nullptr;
    const allot_arena_options wanted = options ? *options : allot_arena_options{};
    arena_options how{.name = detail::name_or(wanted.name, "arena"),
                      .upstream = &as_source(wanted.upstream),
                      .limit_bytes = detail::limit_or_none(wanted.limit_bytes),
                      .retain_bytes_max = detail::limit_or_none(wanted.retain_bytes_max)};
    if (wanted.first_chunk)
        how.first_chunk = {static_cast<std::byte*>(wanted.first_chunk), wanted.first_chunk_bytes};
    if (wanted.chunk_bytes_max) how.chunk_bytes_max = wanted.chunk_bytes_max;
    how.chunk_bytes_min =
        wanted.chunk_bytes_min ? wanted.chunk_bytes_min : std::min(how.chunk_bytes_min, how.chunk_bytes_max);
    if (!wanted.chunk_bytes_max) how.chunk_bytes_max = std::max(how.chunk_bytes_max, how.chunk_bytes_min);
    if (how.chunk_bytes_max < how.chunk_bytes_min)
        return detail::fail(ALLOT_BAD_ARGUMENT,
                            "allot_arena_create: chunk_bytes_max is below chunk_bytes_min");
    return detail::make_handle(*how.upstream, out, [&] { return arena(how); });
}

void allot_arena_destroy(allot_arena* arena) { detail::destroy_handle(arena); }

void* allot_arena_alloc(allot_arena* arena, size_t size) {
    return allocate(arena, size, alignof(std::max_align_t));
}

void* allot_arena_alloc_aligned(allot_arena* arena, size_t size, size_t align) {
    if (!is_power_of_two(align))
        return detail::fail_empty(ALLOT_BAD_ARGUMENT, "allot_arena_alloc_aligned: align is no power of two");
    return allocate(arena, size, align);
}

void* allot_arena_alloc_array(allot_arena* arena, size_t count, size_t item_size) {
    size_t size = 0;
    if (!checked_multiply(count, item_size, size))
        return detail::fail_empty(ALLOT_OUT_OF_RANGE, "allot_arena_alloc_array: count * item_size overflows");
    void* const items = allocate(arena, size, alignof(std::max_align_t));
    return items ? std::memset(items, 0, size) : nullptr;
}

void* allot_arena_copy(allot_arena* arena, const void* bytes, size_t size) {
    if (!bytes && size != 0) return detail::fail_empty(ALLOT_BAD_ARGUMENT, "allot_arena_copy: NULL bytes");
    void* const copy = allocate(arena, size, alignof(std::max_align_t));
    return copy && size != 0 ? std::memcpy(copy, bytes, size) : copy;
}

char* allot_arena_copy_string(allot_arena* arena, const char* zero_terminated) {
    if (!zero_terminated)
        return detail::fail_empty(ALLOT_BAD_ARGUMENT, "allot_arena_copy_string: a NULL string");
    return allot_arena_copy_view(arena, allot_view_of(zero_terminated));
}

char* allot_arena_copy_view(allot_arena* arena, allot_view text) {
    size_t size = 0;
    if (!text.data && text.size != 0)
        return detail::fail_empty(ALLOT_BAD_ARGUMENT, "allot_arena_copy_view: a view of NULL");
    if (!checked_add(text.size, size_t{1}, size))
        return detail::fail_empty(ALLOT_OUT_OF_RANGE, "allot_arena_copy_view: a text of SIZE_MAX bytes");
    auto* const copy = static_cast<char*>(allocate(arena, size, 1));
    if (!copy) return nullptr;
    if (text.size != 0) std::memcpy(copy, text.data, text.size);
    copy[text.size] = 0;
    return copy;
}

allot_arena_mark allot_arena_get_mark(allot_arena* arena) {
    allot_arena_mark mark = {};
    if (!arena) return mark;
    const arena_mark place = arena->it.mark();
    std::memcpy(&mark, &place, sizeof mark);
    return mark;
}

void allot_arena_rewind(allot_arena* arena, allot_arena_mark to) {
    if (!arena) return;
    arena_mark place;
    std::memcpy(static_cast<void*>(&place), &to, sizeof place);
    arena->it.rewind(place);
}

void allot_arena_reset(allot_arena* arena) {
    if (arena) arena->it.reset();
}

void allot_arena_release(allot_arena* arena) {
    if (arena) arena->it.release();
}

allot_usage allot_arena_usage(const allot_arena* arena) {
    return detail::to_c(arena ? arena->it.usage() : usage{.limit_bytes = 0});
}

allot_status allot_arena_source(allot_arena* arena, allot_source** out) {
    if (!out) return detail::fail(ALLOT_BAD_ARGUMENT, "allot_arena_source: nowhere to put the source");
    *out = nullptr;
    if (!arena) return detail::fail(ALLOT_BAD_ARGUMENT, no_arena);
    *out = as_c(arena->it);
    return ALLOT_OK;
}
