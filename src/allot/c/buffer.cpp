#include <allot/c/buffer_handle.hpp>

using namespace allot;

namespace {
constexpr const char* no_buffer = "no buffer: NULL";
}

allot_status allot_buffer_create(allot_source* upstream, allot_buffer** out) {
    if (!out) return detail::fail(ALLOT_BAD_ARGUMENT, "allot_buffer_create: nowhere to put the buffer");
    *out = nullptr;
    memory_source& memory = as_source(upstream);
    return detail::make_handle(memory, out, [&] { return buffer(memory); });
}

void allot_buffer_destroy(allot_buffer* buffer) { detail::destroy_handle(buffer); }

allot_status allot_buffer_append(allot_buffer* buffer, const void* bytes, size_t size) {
    if (!buffer) return detail::fail(ALLOT_BAD_ARGUMENT, no_buffer);
    if (!bytes && size != 0) return detail::fail(ALLOT_BAD_ARGUMENT, "allot_buffer_append: NULL bytes");
    if (size == 0) return ALLOT_OK;
    allot::buffer& it = buffer->it;
    std::size_t all = 0;
    if (!checked_add(it.size(), size, all))
        return detail::fail(ALLOT_OUT_OF_RANGE, "allot_buffer_append: the sum of sizes overflows");
    const auto* const first = static_cast<const std::byte*>(bytes);
    const std::uintptr_t place =
        reinterpret_cast<std::uintptr_t>(first) - reinterpret_cast<std::uintptr_t>(it.data());
    if (it.data() && place < it.capacity() && (place > it.size() || size > it.size() - place))
        return detail::fail(ALLOT_OUT_OF_RANGE,
                            "allot_buffer_append: beyond the end of the buffer's own bytes");
    return it.try_append({first, size}) ? ALLOT_OK : detail::fail(ALLOT_OUT_OF_MEMORY);
}

allot_status allot_buffer_reserve(allot_buffer* buffer, size_t capacity) {
    if (!buffer) return detail::fail(ALLOT_BAD_ARGUMENT, no_buffer);
    return buffer->it.try_reserve(capacity) ? ALLOT_OK : detail::fail(ALLOT_OUT_OF_MEMORY);
}

void allot_buffer_clear(allot_buffer* buffer) {
    if (buffer) buffer->it.clear();
}

allot_view allot_buffer_view(const allot_buffer* buffer) {
    if (!buffer) return {nullptr, 0};
    return {buffer->it.text().data(), buffer->it.size()};
}

size_t allot_buffer_capacity(const allot_buffer* buffer) { return buffer ? buffer->it.capacity() : 0; }
