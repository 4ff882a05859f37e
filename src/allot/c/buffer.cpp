// Bytes that grow, for C.
#include <allot/c/handles.hpp>

#include <algorithm>
#include <allot/core/bytes.hpp>
#include <cstring>

using namespace allot;

// [data, data + size) are the caller's bytes, size <= capacity; data is nullptr where capacity is 0.
struct allot_buffer {
    memory_source& memory; // borrowed
    std::byte* data = nullptr;
    std::size_t size = 0;
    std::size_t capacity = 0;

    ~allot_buffer() { memory.deallocate(data, {.size = capacity, .align = 1}); }

    bool try_grow(std::size_t at_least) noexcept {
        if (at_least <= capacity) return true;
        std::size_t next = 0;
        if (!checked_multiply(capacity, std::size_t{2}, next)) next = at_least;
        next = std::max({next, at_least, std::size_t{64}});
        void* const moved = data ? memory.try_reallocate(data, {.size = capacity, .align = 1}, next)
                                 : memory.try_allocate({.size = next, .align = 1});
        if (!moved) return false;
        data = static_cast<std::byte*>(moved);
        capacity = next;
        return true;
    }
};

namespace {
constexpr const char* no_buffer = "no buffer: NULL";
}

allot_status allot_buffer_create(allot_source* upstream, allot_buffer** out) {
    if (!out) return detail::fail(ALLOT_BAD_ARGUMENT, "allot_buffer_create: nowhere to put the buffer");
    *out = nullptr;
    memory_source& memory = as_source(upstream);
    void* const place = memory.try_allocate(layout_of<allot_buffer>());
    if (!place) return detail::fail(ALLOT_OUT_OF_MEMORY);
    *out = ::new (place) allot_buffer{memory};
    return ALLOT_OK;
}

void allot_buffer_destroy(allot_buffer* buffer) { detail::destroy_handle(buffer); }

allot_status allot_buffer_append(allot_buffer* buffer, const void* bytes, size_t size) {
    if (!buffer) return detail::fail(ALLOT_BAD_ARGUMENT, no_buffer);
    if (!bytes && size != 0) return detail::fail(ALLOT_BAD_ARGUMENT, "allot_buffer_append: NULL bytes");
    if (size == 0) return ALLOT_OK;
    std::size_t all = 0;
    if (!checked_add(buffer->size, size, all))
        return detail::fail(ALLOT_OUT_OF_RANGE, "allot_buffer_append: the sum of sizes overflows");
    // Bytes of its own move with it, so they are remembered by their place.
    const std::uintptr_t place =
        reinterpret_cast<std::uintptr_t>(bytes) - reinterpret_cast<std::uintptr_t>(buffer->data);
    const bool own = buffer->data && place < buffer->capacity;
    if (own && (place > buffer->size || size > buffer->size - place))
        return detail::fail(ALLOT_OUT_OF_RANGE,
                            "allot_buffer_append: beyond the end of the buffer's own bytes");
    if (!buffer->try_grow(all)) return detail::fail(ALLOT_OUT_OF_MEMORY);
    std::memcpy(buffer->data + buffer->size, own ? buffer->data + place : bytes, size);
    buffer->size = all;
    return ALLOT_OK;
}

allot_status allot_buffer_reserve(allot_buffer* buffer, size_t capacity) {
    if (!buffer) return detail::fail(ALLOT_BAD_ARGUMENT, no_buffer);
    return buffer->try_grow(capacity) ? ALLOT_OK : detail::fail(ALLOT_OUT_OF_MEMORY);
}

void allot_buffer_clear(allot_buffer* buffer) {
    if (buffer) buffer->size = 0;
}

allot_view allot_buffer_view(const allot_buffer* buffer) {
    return buffer ? allot_view{reinterpret_cast<const char*>(buffer->data), buffer->size}
                  : allot_view{nullptr, 0};
}

size_t allot_buffer_capacity(const allot_buffer* buffer) { return buffer ? buffer->capacity : 0; }
