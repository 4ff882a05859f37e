/* bytes.h: bytes that know their bounds: views and slices of somebody's, copies that look first, buffers that grow.
 *
 * Included by <allot/allot.h>. Not for text in slots reserved before: text.h.
 *
 *     char line[80];
 *     if (allot_copy_text(line, sizeof line, from_outside) == ALLOT_TOO_SMALL) return complain(allot_last_error());
 */
#ifndef ALLOT_C_BYTES_H
#define ALLOT_C_BYTES_H

#include <allot/c/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Views and slices: borrowed bytes with their bounds ---- */

/* Text, not ended by a zero unless somebody says so. data may be NULL where size is 0. */
typedef struct allot_view {
    const char* data;
    size_t size;
} allot_view;

/* `count` items of item_size bytes each. Made by allot_slice_make, so that count * item_size is a size. */
typedef struct allot_slice {
    void* data;
    size_t count;
    size_t item_size;
} allot_slice;

/* NULL is the empty text. */
ALLOT_API allot_view allot_view_of(const char* zero_terminated);
/* `size` bytes from `begin` on; ALLOT_OUT_OF_RANGE when they are not all there. */
ALLOT_API ALLOT_MUST_LOOK allot_status allot_view_part(allot_view whole, size_t begin, size_t size,
                                                       allot_view* out);
ALLOT_API bool allot_view_equal(allot_view a, allot_view b);
/* ALLOT_OUT_OF_RANGE when count * item_size overflows. */
ALLOT_API ALLOT_MUST_LOOK allot_status allot_slice_make(void* data, size_t count, size_t item_size,
                                                        allot_slice* out);
ALLOT_API ALLOT_MUST_LOOK allot_status allot_slice_part(allot_slice whole, size_t begin, size_t count,
                                                        allot_slice* out);
/* The item's address; NULL (ALLOT_OUT_OF_RANGE) from `count` on. */
ALLOT_API void* allot_slice_at(allot_slice slice, size_t index);

/* ---- Copies that know their destination ---- */

/* Each looks first and writes all or nothing. NULL is allowed where its size is 0. */

/* `size` bytes; ALLOT_OVERLAPS when they have a byte in common with those written: then take allot_move. */
ALLOT_API ALLOT_MUST_LOOK allot_status allot_copy(void* to, size_t to_size, const void* from, size_t size);
ALLOT_API ALLOT_MUST_LOOK allot_status allot_move(void* to, size_t to_size, const void* from, size_t size);
/* The string with its zero. */
ALLOT_API ALLOT_MUST_LOOK allot_status allot_copy_text(char* to, size_t to_size, const char* zero_terminated);
/* The first `size` bytes. */
ALLOT_API ALLOT_MUST_LOOK allot_status allot_fill(void* to, size_t to_size, unsigned char value, size_t size);
/* *order below, at or above 0, by unsigned bytes; of two that begin alike the shorter comes first. */
ALLOT_API ALLOT_MUST_LOOK allot_status allot_compare(const void* a, size_t a_size, const void* b,
                                                     size_t b_size, int* order);
/* For secrets: the time depends on the sizes alone. */
ALLOT_API bool allot_equal_in_constant_time(const void* a, size_t a_size, const void* b, size_t b_size);
/* ALLOT_OUT_OF_RANGE when the result is no size_t; *out is as it was then. */
ALLOT_API ALLOT_MUST_LOOK allot_status allot_add_sizes(size_t a, size_t b, size_t* out);
ALLOT_API ALLOT_MUST_LOOK allot_status allot_multiply_sizes(size_t a, size_t b, size_t* out);

/* ---- Buffers: bytes that grow ---- */

typedef struct allot_buffer allot_buffer;

ALLOT_API ALLOT_MUST_LOOK allot_status allot_buffer_create(allot_source* upstream, allot_buffer** out);
ALLOT_API void allot_buffer_destroy(allot_buffer* buffer);
/* Grows to twice its size at least, in place where upstream can. The bytes may be the buffer's own. A failure
 * (a sum that overflows is ALLOT_OUT_OF_RANGE) leaves it as it was. Invalidates: views
 * of it, when it moved. */
ALLOT_API ALLOT_MUST_LOOK allot_status allot_buffer_append(allot_buffer* buffer, const void* bytes,
                                                           size_t size);
/* Room for so many bytes in all. */
ALLOT_API ALLOT_MUST_LOOK allot_status allot_buffer_reserve(allot_buffer* buffer, size_t capacity);
/* Empty, with its capacity. */
ALLOT_API void allot_buffer_clear(allot_buffer* buffer);
/* Valid until the next append or reserve that grows it. */
ALLOT_API allot_view allot_buffer_view(const allot_buffer* buffer);
ALLOT_API size_t allot_buffer_capacity(const allot_buffer* buffer);

#ifdef __cplusplus
}
#endif

#endif
