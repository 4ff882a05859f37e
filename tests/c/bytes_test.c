/* Views, slices, buffers and copies with bounds, by nothing but <allot/allot.h>. */
#include <allot/allot.h>

#include "check.h"

static void views_know_their_bounds(void) {
    const allot_view line = allot_view_of("GET /index.html");
    allot_view path = {NULL, 0};
    CHECK(line.size == 15 && allot_view_part(line, 4, 11, &path) == ALLOT_OK);
    CHECK(allot_view_equal(path, allot_view_of("/index.html")) && !allot_view_equal(path, line));
    CHECK(allot_view_part(line, 15, 0, &path) == ALLOT_OK && path.size == 0);
    CHECK(allot_view_part(line, 15, 1, &path) == ALLOT_OUT_OF_RANGE);
    CHECK(allot_view_part(line, 16, 0, &path) == ALLOT_OUT_OF_RANGE);
    CHECK(allot_view_part(line, 4, SIZE_MAX, &path) == ALLOT_OUT_OF_RANGE); /* 4 + SIZE_MAX is 3 */
    CHECK(allot_view_part(line, SIZE_MAX, 4, &path) == ALLOT_OUT_OF_RANGE);
    CHECK(allot_view_part(line, 0, 1, NULL) == ALLOT_BAD_ARGUMENT);
    CHECK(allot_view_of(NULL).size == 0 && allot_view_equal(allot_view_of(NULL), allot_view_of("")));
}

/* B72: a slice knows its length, and no index times item size overflows. */
static void slices_know_their_bounds(void) {
    int numbers[10];
    allot_slice all, part;
    for (int i = 0; i < 10; ++i) numbers[i] = i;
    CHECK(allot_slice_make(numbers, 10, sizeof numbers[0], &all) == ALLOT_OK);
    CHECK(allot_slice_part(all, 3, 4, &part) == ALLOT_OK && part.count == 4);
    CHECK(*(int*)allot_slice_at(part, 0) == 3 && *(int*)allot_slice_at(part, 3) == 6);
    CHECK(allot_slice_at(part, 4) == NULL && allot_last_status() == ALLOT_OUT_OF_RANGE);
    CHECK(allot_slice_at(part, SIZE_MAX / 4 + 1) == NULL); /* times 4 it would be 0 */
    CHECK(allot_slice_part(all, 3, 8, &part) == ALLOT_OUT_OF_RANGE);
    CHECK(allot_slice_part(all, 3, SIZE_MAX - 1, &part) == ALLOT_OUT_OF_RANGE);
    CHECK(allot_slice_part(all, 11, 0, &part) == ALLOT_OUT_OF_RANGE && part.count == 4);
    CHECK(allot_slice_make(numbers, SIZE_MAX / 2, 4, &part) == ALLOT_OUT_OF_RANGE);
    CHECK(allot_slice_make(NULL, 1, 4, &part) == ALLOT_BAD_ARGUMENT);
    CHECK(allot_slice_make(NULL, 0, 4, &part) == ALLOT_OK && allot_slice_part(part, 0, 0, &part) == ALLOT_OK);
    CHECK(allot_slice_at(part, 0) == NULL);
}

static void a_buffer_grows_and_keeps_its_bytes(void) {
    allot_buffer* buffer = NULL;
    CHECK(allot_buffer_create(NULL, &buffer) == ALLOT_OK);
    CHECK(allot_buffer_view(buffer).size == 0 && allot_buffer_append(buffer, NULL, 0) == ALLOT_OK);
    for (int i = 0; i < 10000; ++i) {
        const char byte = (char)('a' + i % 26);
        CHECK(allot_buffer_append(buffer, &byte, 1) == ALLOT_OK);
    }
    allot_view bytes = allot_buffer_view(buffer);
    CHECK(bytes.size == 10000 && bytes.data[9999] == 'a' + 9999 % 26);
    const size_t capacity = allot_buffer_capacity(buffer);
    allot_buffer_clear(buffer);
    CHECK(allot_buffer_view(buffer).size == 0 && allot_buffer_capacity(buffer) == capacity);
    CHECK(allot_buffer_reserve(buffer, capacity + 1) == ALLOT_OK && allot_buffer_capacity(buffer) > capacity);
    CHECK(allot_buffer_reserve(buffer, SIZE_MAX) == ALLOT_OUT_OF_MEMORY);
    CHECK(allot_buffer_append(buffer, "12", 2) == ALLOT_OK);
    CHECK(allot_buffer_append(buffer, "x", SIZE_MAX - 1) == ALLOT_OUT_OF_RANGE); /* B73 */
    CHECK(allot_buffer_append(buffer, NULL, 1) == ALLOT_BAD_ARGUMENT && allot_buffer_view(buffer).size == 2);
    CHECK(allot_buffer_append(NULL, "x", 1) == ALLOT_BAD_ARGUMENT);
    allot_buffer_destroy(buffer);
    allot_buffer_destroy(NULL);
}

/* B73: bytes of its own, while it moves. */
static void a_buffer_takes_its_own_bytes(void) {
    allot_buffer* buffer = NULL;
    CHECK(allot_buffer_create(NULL, &buffer) == ALLOT_OK &&
          allot_buffer_append(buffer, "0123456789", 10) == ALLOT_OK);
    for (int i = 0; i < 10; ++i) {
        const allot_view own = allot_buffer_view(buffer);
        CHECK(allot_buffer_append(buffer, own.data, own.size) == ALLOT_OK);
    }
    const allot_view all = allot_buffer_view(buffer);
    CHECK(all.size == 10240);
    for (size_t i = 0; i < all.size; ++i) CHECK(all.data[i] == (char)('0' + i % 10));
    CHECK(allot_buffer_append(buffer, all.data + 5, all.size) == ALLOT_OUT_OF_RANGE); /* 5 beyond its end */
    CHECK(allot_buffer_view(buffer).size == all.size);
    allot_buffer_destroy(buffer);
}

static void copies_write_all_or_nothing(void) {
    char to[8] = "before.";
    CHECK(allot_copy(to, sizeof to, "12345678", 9) == ALLOT_TOO_SMALL && strcmp(to, "before.") == 0);
    CHECK(allot_copy(to, sizeof to, to + 2, 3) == ALLOT_OVERLAPS && strcmp(to, "before.") == 0);
    CHECK(allot_move(to, sizeof to, to + 2, 3) == ALLOT_OK && strcmp(to, "forore.") == 0);
    CHECK(allot_copy_text(to, sizeof to, "seven!!") == ALLOT_OK && strcmp(to, "seven!!") == 0);
    CHECK(allot_copy_text(to, sizeof to, "eight!!!") == ALLOT_TOO_SMALL && strcmp(to, "seven!!") == 0);
    CHECK(allot_copy_text(to, sizeof to, NULL) == ALLOT_BAD_ARGUMENT);
    CHECK(allot_fill(to, sizeof to, 'x', 9) == ALLOT_TOO_SMALL && to[0] == 's');
    CHECK(allot_fill(to, sizeof to, 'x', 7) == ALLOT_OK && strcmp(to, "xxxxxxx") == 0);
    CHECK(allot_copy(NULL, 1, "x", 1) == ALLOT_BAD_ARGUMENT &&
          allot_copy(to, 8, NULL, 1) == ALLOT_BAD_ARGUMENT);
    CHECK(allot_move(NULL, 0, NULL, 0) == ALLOT_OK && allot_fill(NULL, 1, 0, 1) == ALLOT_BAD_ARGUMENT);
    CHECK(strcmp(allot_last_error(), "NULL where there must be bytes") == 0);
}

static void comparisons_and_sums_have_answers(void) {
    int order = 7;
    CHECK(allot_compare("ab", 2, "abc", 3, &order) == ALLOT_OK && order < 0);
    CHECK(allot_compare("\xff", 1, "a", 1, &order) == ALLOT_OK && order > 0);
    CHECK(allot_compare(NULL, 0, "", 0, &order) == ALLOT_OK && order == 0);
    CHECK(allot_compare(NULL, 1, "a", 1, &order) == ALLOT_BAD_ARGUMENT &&
          allot_compare("", 0, "", 0, NULL) != ALLOT_OK);
    CHECK(allot_equal_in_constant_time("secret", 6, "secret", 6));
    CHECK(!allot_equal_in_constant_time("secret", 6, "secreT", 6));
    CHECK(!allot_equal_in_constant_time("secret", 6, "secret", 5));
    size_t size = 5;
    CHECK(allot_add_sizes(SIZE_MAX, 1, &size) == ALLOT_OUT_OF_RANGE && size == 5);
    CHECK(allot_multiply_sizes(SIZE_MAX / 2, 3, &size) == ALLOT_OUT_OF_RANGE && size == 5);
    CHECK(allot_add_sizes(2, 3, &size) == ALLOT_OK && size == 5);
    CHECK(allot_multiply_sizes(2, 3, &size) == ALLOT_OK && size == 6 &&
          allot_add_sizes(1, 1, NULL) != ALLOT_OK);
}

int main(void) {
    RUN(views_know_their_bounds);
    RUN(slices_know_their_bounds);
    RUN(a_buffer_grows_and_keeps_its_bytes);
    RUN(a_buffer_takes_its_own_bytes);
    RUN(copies_write_all_or_nothing);
    RUN(comparisons_and_sums_have_answers);
    return failures != 0;
}
