// Views, slices, and copies that know their destination.
#include <allot/core/checked_bytes.hpp>

#include <allot/c/handles.hpp>
#include <cstring>

using namespace allot;

namespace {

std::span<const std::byte> bytes_of(const void* data, std::size_t size) noexcept {
    return {static_cast<const std::byte*>(data), size};
}
std::span<std::byte> bytes_of(void* data, std::size_t size) noexcept {
    return {static_cast<std::byte*>(data), size};
}
bool is_null(const void* data, std::size_t size) noexcept { return !data && size != 0; }

allot_status answer(bytes_error what) noexcept {
    switch (what) {
    case bytes_error::none: return ALLOT_OK;
    case bytes_error::too_small: return detail::fail(ALLOT_TOO_SMALL, text(what));
    case bytes_error::overlaps: return detail::fail(ALLOT_OVERLAPS, text(what));
    case bytes_error::overflows: break;
    }
    return detail::fail(ALLOT_OUT_OF_RANGE, text(what));
}

constexpr const char* null_bytes = "NULL where there must be bytes";
constexpr const char* null_out = "NULL where the answer must go";

} // namespace

allot_view allot_view_of(const char* zero_terminated) {
    return {zero_terminated, zero_terminated ? std::strlen(zero_terminated) : 0};
}

allot_status allot_view_part(allot_view whole, size_t begin, size_t size, allot_view* out) {
    if (!out) return detail::fail(ALLOT_BAD_ARGUMENT, null_out);
    std::span<const char> part;
    const bytes_error wrong = checked_part(std::span<const char>(whole.data, whole.size), begin, size, part);
    if (wrong == bytes_error::none) *out = {part.data(), part.size()};
    return answer(wrong);
}

bool allot_view_equal(allot_view a, allot_view b) {
    return a.size == b.size &&
           (a.size == 0 || (a.data && b.data && std::memcmp(a.data, b.data, a.size) == 0));
}

allot_status allot_slice_make(void* data, size_t count, size_t item_size, allot_slice* out) {
    if (!out) return detail::fail(ALLOT_BAD_ARGUMENT, null_out);
    size_t size = 0;
    if (!checked_multiply(count, item_size, size))
        return detail::fail(ALLOT_OUT_OF_RANGE, "allot_slice_make: count * item_size overflows");
    if (is_null(data, size)) return detail::fail(ALLOT_BAD_ARGUMENT, null_bytes);
    *out = {data, count, item_size};
    return ALLOT_OK;
}

allot_status allot_slice_part(allot_slice whole, size_t begin, size_t count, allot_slice* out) {
    if (!out) return detail::fail(ALLOT_BAD_ARGUMENT, null_out);
    if (begin > whole.count || count > whole.count - begin) return answer(bytes_error::overflows);
    auto* const first = static_cast<std::byte*>(whole.data);
    *out = {first ? first + begin * whole.item_size : nullptr, count, whole.item_size};
    return ALLOT_OK;
}

void* allot_slice_at(allot_slice slice, size_t index) {
    if (index >= slice.count || !slice.data) {
        answer(bytes_error::overflows);
        return nullptr;
    }
    return static_cast<std::byte*>(slice.data) + index * slice.item_size;
}

allot_status allot_copy(void* to, size_t to_size, const void* from, size_t size) {
    if (is_null(to, to_size) || is_null(from, size)) return detail::fail(ALLOT_BAD_ARGUMENT, null_bytes);
    return answer(checked_copy(bytes_of(to, to_size), bytes_of(from, size)));
}

allot_status allot_move(void* to, size_t to_size, const void* from, size_t size) {
    if (is_null(to, to_size) || is_null(from, size)) return detail::fail(ALLOT_BAD_ARGUMENT, null_bytes);
    return answer(checked_move(bytes_of(to, to_size), bytes_of(from, size)));
}

allot_status allot_copy_text(char* to, size_t to_size, const char* zero_terminated) {
    if (!zero_terminated) return detail::fail(ALLOT_BAD_ARGUMENT, "allot_copy_text: a NULL string");
    return allot_copy(to, to_size, zero_terminated, std::strlen(zero_terminated) + 1);
}

allot_status allot_fill(void* to, size_t to_size, unsigned char value, size_t size) {
    if (is_null(to, to_size)) return detail::fail(ALLOT_BAD_ARGUMENT, null_bytes);
    return answer(checked_fill(bytes_of(to, to_size), static_cast<std::byte>(value), size));
}

allot_status allot_compare(const void* a, size_t a_size, const void* b, size_t b_size, int* order) {
    if (!order) return detail::fail(ALLOT_BAD_ARGUMENT, null_out);
    if (is_null(a, a_size) || is_null(b, b_size)) return detail::fail(ALLOT_BAD_ARGUMENT, null_bytes);
    const std::strong_ordering found = checked_compare(bytes_of(a, a_size), bytes_of(b, b_size));
    *order = found < 0 ? -1 : found > 0;
    return ALLOT_OK;
}

bool allot_equal_in_constant_time(const void* a, size_t a_size, const void* b, size_t b_size) {
    if (is_null(a, a_size) || is_null(b, b_size)) return false;
    return equal_in_constant_time(bytes_of(a, a_size), bytes_of(b, b_size));
}

allot_status allot_add_sizes(size_t a, size_t b, size_t* out) {
    if (!out) return detail::fail(ALLOT_BAD_ARGUMENT, null_out);
    return checked_add(a, b, *out) ? ALLOT_OK : detail::fail(ALLOT_OUT_OF_RANGE, "a sum of sizes overflows");
}

allot_status allot_multiply_sizes(size_t a, size_t b, size_t* out) {
    if (!out) return detail::fail(ALLOT_BAD_ARGUMENT, null_out);
    return checked_multiply(a, b, *out) ? ALLOT_OK
                                        : detail::fail(ALLOT_OUT_OF_RANGE, "a product of sizes overflows");
}
