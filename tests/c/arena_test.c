/* Arenas, scopes and pools, by nothing but <allot/allot.h>. */
#include <allot/allot.h>

#include "check.h"
#include <setjmp.h>
#include <stdalign.h>

struct node {
    struct node* next;
    long double value;
};

static int complain(const char* why) {
    fprintf(stderr, "%s\n", why);
    return 1;
}

/* The header's example. */
static int usage_example(void) {
    ALLOT_SCOPED_ARENA(request); // destroyed on every way out of this block
    const allot_arena_options options = {.name = "request", .limit_bytes = 1 << 20};
    if (allot_arena_create(&options, &request) != ALLOT_OK) return complain(allot_last_error());
    const char* line = allot_arena_copy_string(request, "GET /index.html");
    struct node* head = (struct node*)allot_arena_alloc(request, sizeof *head);
    if (line == NULL || head == NULL) return complain(allot_last_error());
    CHECK(strcmp(line, "GET /index.html") == 0);
    CHECK(allot_arena_alloc(request, 2 << 20) == NULL);
    CHECK(strstr(allot_last_error(), "arena 'request' refused 2097152 bytes") != NULL);
    return 0;
}
static void usage(void) { CHECK(usage_example() == 0); }

static bool is_aligned(const void* address, size_t align) { return (uintptr_t)address % align == 0; }

/* B8: a struct after a string, and after 100 bytes, is aligned for every type. */
static void blocks_are_aligned_for_every_type(void) {
    ALLOT_SCOPED_ARENA(arena);
    CHECK(allot_arena_create(NULL, &arena) == ALLOT_OK);
    for (size_t size = 0; size < 200; ++size) {
        CHECK(allot_arena_copy_string(arena, "odd") != NULL);
        CHECK(is_aligned(allot_arena_alloc(arena, size), alignof(max_align_t)));
        struct node* node = (struct node*)allot_arena_alloc(arena, sizeof *node);
        CHECK(is_aligned(node, alignof(struct node)));
        node->value = 1;
    }
    for (size_t align = 1; align <= 65536; align *= 2)
        CHECK(is_aligned(allot_arena_alloc_aligned(arena, 3, align), align));
}

static void wrong_arguments_are_answers(void) {
    ALLOT_SCOPED_ARENA(arena);
    allot_arena_options options = {.chunk_bytes_min = 8192, .chunk_bytes_max = 4096};
    CHECK(allot_arena_create(&options, &arena) == ALLOT_BAD_ARGUMENT && arena == NULL);
    CHECK(allot_arena_create(NULL, NULL) == ALLOT_BAD_ARGUMENT);
    options.chunk_bytes_min = 0; /* the default fits itself in, and so does the other one */
    options.chunk_bytes_max = 1024;
    CHECK(allot_arena_create(&options, &arena) == ALLOT_OK && allot_arena_alloc(arena, 1) != NULL);
    CHECK(allot_arena_usage(arena).held_bytes <= 1024);
    allot_arena_destroy(arena);
    options.chunk_bytes_min = 4 << 20;
    options.chunk_bytes_max = 0;
    CHECK(allot_arena_create(&options, &arena) == ALLOT_OK && allot_arena_alloc(arena, 1) != NULL);
    CHECK(allot_arena_usage(arena).held_bytes >= 4 << 20);
    allot_arena_destroy(arena);
    CHECK(allot_arena_create(NULL, &arena) == ALLOT_OK);
    CHECK(allot_arena_alloc(NULL, 1) == NULL && allot_last_status() == ALLOT_BAD_ARGUMENT);
    CHECK(allot_arena_alloc_aligned(arena, 8, 24) == NULL && allot_last_status() == ALLOT_BAD_ARGUMENT);
    CHECK(allot_arena_alloc_aligned(arena, 8, 0) == NULL);
    CHECK(allot_arena_alloc_array(arena, SIZE_MAX / 2, 3) == NULL); /* B72 */
    CHECK(allot_last_status() == ALLOT_OUT_OF_RANGE);
    CHECK(allot_arena_alloc(arena, SIZE_MAX) == NULL && allot_last_status() == ALLOT_OUT_OF_MEMORY);
    CHECK(allot_arena_copy_string(arena, NULL) == NULL); /* B7: no strlen of NULL */
    CHECK(allot_last_status() == ALLOT_BAD_ARGUMENT);
    CHECK(allot_arena_copy(arena, NULL, 1) == NULL && allot_arena_copy(arena, NULL, 0) != NULL);
    const allot_view nothing = {NULL, 1};
    const allot_view longest = {"x", SIZE_MAX};
    CHECK(allot_arena_copy_view(arena, nothing) == NULL && allot_arena_copy_view(arena, longest) == NULL);
    allot_arena_reset(NULL);
    allot_arena_release(NULL);
    allot_arena_rewind(NULL, allot_arena_get_mark(NULL));
    allot_arena_destroy(NULL);
    CHECK(allot_arena_usage(NULL).live_bytes == 0);
    allot_source* source = NULL;
    CHECK(allot_arena_source(NULL, &source) == ALLOT_BAD_ARGUMENT && source == NULL);
    CHECK(strcmp(allot_status_text(ALLOT_STILL_LIVE), "blocks are still live") == 0);
}

static void marks_scopes_and_resets_end_what_came_after(void) {
    ALLOT_SCOPED_ARENA(arena);
    char buffer[1024];
    allot_arena_options options = {.first_chunk = buffer, .first_chunk_bytes = sizeof buffer};
    CHECK(allot_arena_create(&options, &arena) == ALLOT_OK);
    char* first = (char*)allot_arena_alloc(arena, 10);
    CHECK(first >= buffer && first < buffer + sizeof buffer);
    const allot_arena_mark mark = allot_arena_get_mark(arena);
    {
        ALLOT_ARENA_SCOPE(arena);
        CHECK(allot_arena_alloc(arena, 5000) != NULL);
        for (int i = 0; i < 3; ++i) {
            ALLOT_ARENA_SCOPE(arena);
            CHECK(allot_arena_alloc(arena, 100) != NULL);
        }
        CHECK(allot_arena_usage(arena).live_bytes == 5010);
    }
    CHECK(allot_arena_usage(arena).live_bytes == 10 && allot_arena_usage(arena).peak_live_bytes == 5110);
    CHECK(allot_arena_alloc(arena, 1) != NULL);
    allot_arena_rewind(arena, mark);
    CHECK(allot_arena_usage(arena).live_count == 1);
    const int* items = (const int*)allot_arena_alloc_array(arena, 100, sizeof *items);
    for (int i = 0; i < 100; ++i) CHECK(items[i] == 0);
    allot_arena_reset(arena);
    CHECK(allot_arena_usage(arena).live_bytes == 0 && allot_arena_usage(arena).held_bytes > 1024);
    allot_arena_release(arena);
    CHECK(allot_arena_usage(arena).held_bytes == 1024); /* the buffer */
    CHECK(allot_arena_usage(arena).limit_bytes == UINT64_MAX);
}

/* B6: no way out of the block leaks, and none skips the body in silence. */
enum way { at_the_end, by_break, by_continue, by_return, by_goto };

static int leave(allot_source* upstream, enum way way) {
    int round = 0;
    for (round = 0; round < 2; ++round) {
        ALLOT_SCOPED_ARENA(arena);
        const allot_arena_options options = {.name = "scoped", .upstream = upstream};
        if (allot_arena_create(&options, &arena) != ALLOT_OK) return -1; /* seen, and nothing to clean up */
        if (allot_arena_alloc(arena, 100) == NULL) return -2;
        if (way == by_break) break;
        if (way == by_continue) continue;
        if (way == by_return) return round;
        if (way == by_goto) goto out;
    }
out:
    return round;
}

static void a_scoped_arena_goes_on_every_way_out(void) {
    struct counting counts = {0};
    const allot_backend table = backend_of(&counts);
    allot_source* source = NULL;
    CHECK(allot_source_create("counting", &table, &source) == ALLOT_OK);
    const size_t own = counts.live_bytes;
    const enum way ways[] = {at_the_end, by_break, by_continue, by_return, by_goto};
    const int rounds[] = {2, 0, 2, 0, 0};
    for (int i = 0; i < 5; ++i) {
        const unsigned long before = counts.request_count;
        CHECK(leave(source, ways[i]) == rounds[i]);
        CHECK(counts.request_count > before && counts.live_bytes == own);
    }
    counts.refuse_at = counts.request_count + 1;
    CHECK(leave(source, at_the_end) == -1 && allot_last_status() == ALLOT_OUT_OF_MEMORY);
    CHECK(strstr(allot_last_error(), "source 'counting' refused") != NULL);
    counts.refuse_at = counts.request_count + 2;
    counts.lasting = true; /* an arena tries a smaller chunk, too */
    CHECK(leave(source, at_the_end) == -2 && counts.live_bytes == own);
    CHECK(counts.wrong_count == 0);
    allot_source_destroy(source);
    CHECK(counts.live_count == 0);
}

/* B6: longjmp passes a scope's end by; the next end outside it makes up for it. */
static jmp_buf jump;
static void jump_out_of(allot_arena* arena) {
    ALLOT_ARENA_SCOPE(arena);
    CHECK(allot_arena_alloc(arena, 1000) != NULL);
    longjmp(jump, 1);
}
static void what_longjmp_passes_by_ends_with_the_scope_outside(void) {
    static allot_arena* arena;
    CHECK(allot_arena_create(NULL, &arena) == ALLOT_OK);
    {
        ALLOT_ARENA_SCOPE(arena);
        if (setjmp(jump) == 0) jump_out_of(arena);
        CHECK(allot_arena_usage(arena).live_bytes == 1000);
        CHECK(allot_arena_alloc(arena, 10) != NULL); /* still in order */
    }
    CHECK(allot_arena_usage(arena).live_bytes == 0);
    allot_arena_destroy(arena);
}

/* The classic bug (B1): an inner scope that frees what the outer one still uses, or what it was to give it. */
static const char* twice(const char* text, allot_scratch* out) {
    ALLOT_SCRATCH(work);
    if (allot_scratch_open(&work, out) != ALLOT_OK) return NULL;
    allot_source* source = NULL;
    allot_buffer* both = NULL;
    char* result = NULL;
    if (allot_scratch_source(&work, &source) == ALLOT_OK && allot_buffer_create(source, &both) == ALLOT_OK &&
        allot_buffer_append(both, text, strlen(text)) == ALLOT_OK &&
        allot_buffer_append(both, text, strlen(text) + 1) == ALLOT_OK) {
        const allot_view bytes = allot_buffer_view(both);
        result = (char*)allot_scratch_alloc(out, bytes.size);
        if (result) CHECK(allot_copy(result, bytes.size, bytes.data, bytes.size) == ALLOT_OK);
    }
    allot_buffer_destroy(both);
    return result;
}
static void scratches_nest_and_leave_each_other_alone(void) {
    ALLOT_SCRATCH(outer);
    CHECK(allot_scratch_alloc(&outer, 1) == NULL && allot_last_status() == ALLOT_BAD_ARGUMENT);
    CHECK(allot_scratch_open(&outer, NULL) == ALLOT_OK &&
          allot_scratch_open(&outer, NULL) == ALLOT_BAD_ARGUMENT);
    char* mine = (char*)allot_scratch_alloc_array(&outer, 100, 1);
    memset(mine, 'x', 100);
    const char* text = "ab";
    for (int i = 0; i < 5; ++i) text = twice(text, &outer);
    CHECK(text != NULL && strlen(text) == 64 && strncmp(text, "abababab", 8) == 0);
    for (int i = 0; i < 100; ++i) CHECK(mine[i] == 'x');
    CHECK(is_aligned(allot_scratch_alloc_aligned(&outer, 3, 4096), 4096));
    CHECK(allot_scratch_alloc_aligned(&outer, 3, 12) == NULL);
    CHECK(allot_scratch_alloc_array(&outer, SIZE_MAX, 2) == NULL &&
          allot_last_status() == ALLOT_OUT_OF_RANGE);
    CHECK(allot_scratch_open(NULL, NULL) == ALLOT_BAD_ARGUMENT);
    allot_scratch_close(&outer);
    allot_scratch_close(&outer);
    allot_scratch_close(NULL);
    allot_source* source = NULL;
    CHECK(allot_scratch_source(&outer, &source) == ALLOT_BAD_ARGUMENT && source == NULL);
    CHECK(allot_scratch_open(&outer, &outer) == ALLOT_OK); /* one that is not open is no conflict */
}

static void a_pool_is_bounded_and_reuses_the_newest_slot(void) {
    allot_pool* pool = NULL;
    const allot_pool_options options = {.name = "nodes",
                                        .slot_size = sizeof(struct node),
                                        .slot_count_max = 2,
                                        .slab_bytes = ALLOT_SLAB_NODES};
    CHECK(allot_pool_create(&options, &pool) == ALLOT_OK);
    void* first = allot_pool_alloc(pool);
    void* second = allot_pool_alloc(pool);
    CHECK(first != NULL && second != NULL && allot_pool_alloc(pool) == NULL);
    CHECK(strstr(allot_last_error(), "pool 'nodes' refused") != NULL);
    allot_pool_free(pool, first);
    allot_pool_free(pool, NULL);
    CHECK(allot_pool_alloc(pool) == first && allot_pool_owns(pool, second) && !allot_pool_owns(pool, pool));
    const allot_usage now = allot_pool_usage(pool);
    CHECK(now.live_count == 2 && now.total_count == 3 && now.refused_count == 1 && now.held_bytes <= 4096);
    allot_pool_destroy(pool);

    allot_pool_options wrong = {.slot_size = 0};
    CHECK(allot_pool_create(&wrong, &pool) == ALLOT_BAD_ARGUMENT && pool == NULL);
    wrong.slot_size = SIZE_MAX;
    CHECK(allot_pool_create(&wrong, &pool) == ALLOT_BAD_ARGUMENT);
    wrong.slot_size = 8;
    wrong.slot_align = 3;
    CHECK(allot_pool_create(&wrong, &pool) == ALLOT_BAD_ARGUMENT);
    CHECK(allot_pool_alloc(NULL) == NULL && !allot_pool_owns(NULL, &wrong));
    allot_pool_destroy(NULL);
}

int main(void) {
    CHECK(allot_last_status() == ALLOT_OK && strcmp(allot_last_error(), "") == 0);
    RUN(usage);
    RUN(blocks_are_aligned_for_every_type);
    RUN(wrong_arguments_are_answers);
    RUN(marks_scopes_and_resets_end_what_came_after);
    RUN(a_scoped_arena_goes_on_every_way_out);
    RUN(what_longjmp_passes_by_ends_with_the_scope_outside);
    RUN(scratches_nest_and_leave_each_other_alone);
    RUN(a_pool_is_bounded_and_reuses_the_newest_slot);
    return failures != 0;
}
