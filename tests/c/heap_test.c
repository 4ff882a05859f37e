/* Tags, a heap with books and a limit, and a shortage at every request, by nothing but <allot/allot.h>. */
#include <allot/allot.h>

#include "check.h"

static void a_heap_counts_by_tag_and_frees_by_the_pointer(void) {
    allot_heap* heap = NULL;
    const allot_heap_options options = {.name = "app"};
    CHECK(allot_heap_create(&options, &heap) == ALLOT_OK);
    void* node = allot_heap_alloc(heap, ALLOT_TAG_NODE, 100);
    int* numbers = (int*)allot_heap_alloc_array(heap, ALLOT_TAG_NODE, 10, sizeof *numbers);
    char* text = allot_heap_copy_string(heap, ALLOT_TAG_PARSE, "GET /", 5);
    CHECK(node && numbers && numbers[9] == 0 && text && strcmp(text, "GET /") == 0);
    CHECK(allot_heap_block_size(heap, node) == 100 && allot_heap_block_tag(heap, node) == ALLOT_TAG_NODE);

    allot_usage nodes = allot_heap_tag_usage(heap, ALLOT_TAG_NODE);
    CHECK(nodes.live_bytes == 140 && nodes.live_count == 2 &&
          nodes.total_count == 2); /* headers don't count */
    CHECK(allot_heap_usage(heap).live_bytes == 146);
    node = allot_heap_resize(heap, node, 5000);
    CHECK(allot_heap_block_size(heap, node) == 5000);
    allot_heap_free(heap, node);
    allot_heap_free(heap, NULL);
    nodes = allot_heap_tag_usage(heap, ALLOT_TAG_NODE);
    CHECK(nodes.live_bytes == 40 && nodes.peak_live_bytes == 5040 &&
          nodes.total_count - nodes.live_count == 2);

    CHECK(allot_heap_destroy(heap) == ALLOT_STILL_LIVE); /* and nothing happened */
    allot_heap_free_tagged(heap, ALLOT_TAG_NODE, numbers);
    allot_heap_free_tagged(heap, ALLOT_TAG_PARSE, text);
    CHECK(allot_heap_usage(heap).live_bytes == 0 && allot_heap_destroy(heap) == ALLOT_OK);
    CHECK(allot_heap_destroy(NULL) == ALLOT_OK);
}

static void every_alignment_survives_a_resize(void) {
    allot_heap* heap = NULL;
    CHECK(allot_heap_create(NULL, &heap) == ALLOT_OK);
    for (size_t align = 1; align <= 65536; align *= 2) {
        char* block = (char*)allot_heap_alloc_aligned(heap, ALLOT_TAG_TEMP, 3, align);
        CHECK(block != NULL && (uintptr_t)block % align == 0);
        memcpy(block, "ab", 3);
        block = (char*)allot_heap_resize(heap, block, 40000);
        CHECK(block != NULL && (uintptr_t)block % align == 0 && strcmp(block, "ab") == 0);
        block = (char*)allot_heap_resize(heap, block, 0);
        CHECK(block != NULL && allot_heap_block_size(heap, block) == 1 && block[0] == 'a');
        allot_heap_free(heap, block);
    }
    CHECK(allot_heap_destroy(heap) == ALLOT_OK);
}

static void wrong_arguments_are_answers(void) {
    allot_heap* heap = NULL;
    CHECK(allot_heap_create(NULL, NULL) == ALLOT_BAD_ARGUMENT && allot_heap_create(NULL, &heap) == ALLOT_OK);
    CHECK(allot_heap_alloc(NULL, 0, 1) == NULL && allot_heap_alloc(heap, 60000, 1) == NULL);
    CHECK(allot_last_status() == ALLOT_BAD_ARGUMENT);
    CHECK(allot_heap_alloc_array(heap, 0, SIZE_MAX, 2) == NULL && allot_last_status() == ALLOT_OUT_OF_RANGE);
    CHECK(allot_heap_alloc(heap, 0, SIZE_MAX) == NULL && allot_last_status() == ALLOT_OUT_OF_MEMORY);
    CHECK(allot_heap_alloc_aligned(heap, 0, 1, 12) == NULL);
    CHECK(allot_heap_copy_string(heap, 0, NULL, 5) == NULL &&
          allot_last_status() == ALLOT_BAD_ARGUMENT); /* B7 */
    CHECK(allot_heap_copy_string(heap, 0, "GET /", 4) == NULL && allot_last_status() == ALLOT_TOO_SMALL);
    char* any = allot_heap_copy_string(heap, 0, "", SIZE_MAX);
    CHECK(any != NULL && allot_heap_resize(heap, any, SIZE_MAX) == NULL && *any == 0);
    allot_heap_free(heap, any);
    CHECK(allot_heap_resize(heap, NULL, 1) == NULL && allot_last_status() == ALLOT_BAD_ARGUMENT);
    CHECK(allot_heap_report(heap, NULL, NULL) == ALLOT_BAD_ARGUMENT);
    allot_source* source = NULL;
    CHECK(allot_heap_source(heap, 60000, &source) == ALLOT_BAD_ARGUMENT && source == NULL);
    CHECK(allot_heap_tag_usage(heap, 60000).live_bytes == 0 && allot_heap_usage(NULL).live_bytes == 0);
    CHECK(allot_heap_destroy(heap) == ALLOT_OK);
}

static void tags_are_a_tree_of_names(void) {
    allot_tag strings = 0, again = 0;
    CHECK(allot_tag_make("strings", ALLOT_TAG_PARSE, &strings) == ALLOT_OK);
    CHECK(allot_tag_make("strings", ALLOT_TAG_PARSE, &again) == ALLOT_OK && again == strings);
    CHECK(strcmp(allot_tag_name(strings), "strings") == 0 &&
          strcmp(allot_tag_name(ALLOT_TAG_CBOR), "cbor") == 0);
    CHECK(allot_tag_name(60000) == NULL);
    CHECK(allot_tag_make("", 0, &again) == ALLOT_BAD_ARGUMENT &&
          allot_tag_make(NULL, 0, &again) == ALLOT_BAD_ARGUMENT);
    CHECK(allot_tag_make("one", 60000, &again) == ALLOT_BAD_ARGUMENT && again == strings);
    CHECK(allot_tag_make("a name of more than thirty-one bytes", 0, &again) == ALLOT_BAD_ARGUMENT);
}

static void what_stands_on_a_tag_counts_there_and_meets_the_limit(void) {
    allot_heap* heap = NULL;
    const allot_heap_options options = {.name = "session", .limit_bytes = 64 * 1024};
    CHECK(allot_heap_create(&options, &heap) == ALLOT_OK);
    allot_source* source = NULL;
    CHECK(allot_heap_source(heap, ALLOT_TAG_CACHE, &source) == ALLOT_OK);
    {
        ALLOT_SCOPED_ARENA(arena);
        const allot_arena_options on = {.name = "cache", .upstream = source};
        CHECK(allot_arena_create(&on, &arena) == ALLOT_OK);
        CHECK(allot_arena_alloc(arena, 10000) != NULL);
        CHECK(allot_heap_tag_usage(heap, ALLOT_TAG_CACHE).live_bytes >= 10000);
        CHECK(allot_source_usage(source).live_bytes == allot_heap_usage(heap).live_bytes);
        CHECK(allot_heap_alloc(heap, ALLOT_TAG_NODE, 60000) == NULL);
        CHECK(strstr(allot_last_error(), "budget 'session' refused") != NULL);
        CHECK(allot_heap_usage(heap).limit_bytes == 64 * 1024 && allot_heap_usage(heap).refused_count == 1);
    }
    void* block = allot_heap_alloc(heap, ALLOT_TAG_NODE, 60000);
    CHECK(block != NULL);
    allot_heap_free(heap, block);
    block = allot_source_alloc(source, 100, 64);
    CHECK(block != NULL && (uintptr_t)block % 64 == 0 && allot_source_alloc(source, 1, 3) == NULL);
    allot_source_free(source, block, 100, 64);
    allot_source_free(source, NULL, 1, 0);
    CHECK(allot_heap_destroy(heap) == ALLOT_OK);
}

struct text {
    char bytes[4096];
    size_t size;
    int line_count;
};
static void write_text(void* to, const char* line, size_t size) {
    struct text* text = (struct text*)to;
    CHECK(line[size] == 0 && line[size - 1] == '\n' && text->size + size < sizeof text->bytes);
    memcpy(text->bytes + text->size, line, size + 1);
    text->size += size;
    ++text->line_count;
}
static void a_report_has_a_line_for_each_tag_that_was_used(void) {
    allot_heap* heap = NULL;
    const allot_heap_options options = {.name = "app"};
    CHECK(allot_heap_create(&options, &heap) == ALLOT_OK);
    void* block = allot_heap_alloc(heap, ALLOT_TAG_EDGE, 4321);
    static struct text text;
    CHECK(allot_heap_report(heap, write_text, &text) == ALLOT_OK);
    CHECK(strstr(text.bytes, "app") && strstr(text.bytes, "edge") && strstr(text.bytes, "4321"));
    CHECK(strstr(text.bytes, "cbor") == NULL && text.line_count >= 4);
    allot_heap_free(heap, block);
    CHECK(allot_heap_destroy(heap) == ALLOT_OK);
}

/* Everything once, over `source`. False: something was refused. Leaves nothing behind in either case. */
static bool work(allot_source* source) {
    bool done = false;
    allot_heap* heap = NULL;
    allot_pool* pool = NULL;
    allot_buffer* buffer = NULL;
    void *block = NULL, *bigger = NULL, *slot = NULL;
    allot_source* tag = NULL;
    ALLOT_SCOPED_ARENA(arena);
    const allot_heap_options heap_options = {.upstream = source, .limit_bytes = 1 << 20};
    if (allot_heap_create(&heap_options, &heap) != ALLOT_OK) goto out;
    if (allot_heap_source(heap, ALLOT_TAG_NODE, &tag) != ALLOT_OK) goto out;
    if ((block = allot_heap_alloc(heap, ALLOT_TAG_EDGE, 100)) == NULL) goto out;
    if ((bigger = allot_heap_resize(heap, block, 5000)) == NULL) goto out;
    block = bigger;
    {
        const allot_pool_options pool_options = {.upstream = tag, .slot_size = 64};
        if (allot_pool_create(&pool_options, &pool) != ALLOT_OK) goto out;
    }
    if ((slot = allot_pool_alloc(pool)) == NULL) goto out;
    allot_pool_free(pool, slot);
    if (allot_buffer_create(source, &buffer) != ALLOT_OK) goto out;
    for (int i = 0; i < 100; ++i)
        if (allot_buffer_append(buffer, "12345678", 8) != ALLOT_OK) goto out;
    {
        const allot_arena_options arena_options = {.upstream = source};
        if (allot_arena_create(&arena_options, &arena) != ALLOT_OK) goto out;
    }
    if (allot_arena_alloc(arena, 10000) == NULL || allot_arena_copy_string(arena, "x") == NULL) goto out;
    done = true;
out:
    CHECK(done || allot_last_status() == ALLOT_OUT_OF_MEMORY);
    if (buffer) CHECK(allot_buffer_view(buffer).size % 8 == 0); /* as it was before what failed */
    allot_buffer_destroy(buffer);
    allot_pool_destroy(pool);
    allot_heap_free(heap, block);
    CHECK(allot_heap_destroy(heap) == ALLOT_OK);
    return done;
}

/* B7: a shortage at the n-th request for every n, lasting or not, through a back end of our own. */
static void a_shortage_at_any_request_leaves_nothing_behind(void) {
    for (int lasting = 0; lasting < 2; ++lasting) {
        unsigned long refuse_at = 0;
        for (bool passed = false; !passed && refuse_at < 1000;) {
            struct counting counts = {0};
            counts.refuse_at = ++refuse_at;
            counts.lasting = lasting != 0;
            const allot_backend table = backend_of(&counts);
            allot_source* source = NULL;
            if (allot_source_create("short", &table, &source) == ALLOT_OK) {
                work(source);
                passed = counts.request_count < refuse_at; /* nothing was refused */
                CHECK(passed || allot_source_usage(source).refused_count > 0);
                allot_source_destroy(source);
            }
            CHECK(counts.live_count == 0 && counts.live_bytes == 0 && counts.wrong_count == 0);
        }
        CHECK(refuse_at > 15 && refuse_at < 1000);
        printf("%lu points of failure\n", refuse_at - 1);
    }
}

static void a_back_end_is_looked_at(void) {
    allot_source* source = NULL;
    allot_backend table;
    memset(&table, 0, sizeof table);
    CHECK(allot_source_create("x", &table, &source) == ALLOT_BAD_ARGUMENT && source == NULL);
    CHECK(allot_source_create("x", NULL, &source) == ALLOT_BAD_ARGUMENT);
    CHECK(allot_source_create("x", &table, NULL) == ALLOT_BAD_ARGUMENT);
    allot_source_destroy(NULL);
}

int main(void) {
    RUN(a_heap_counts_by_tag_and_frees_by_the_pointer);
    RUN(every_alignment_survives_a_resize);
    RUN(wrong_arguments_are_answers);
    RUN(tags_are_a_tree_of_names);
    RUN(what_stands_on_a_tag_counts_there_and_meets_the_limit);
    RUN(a_report_has_a_line_for_each_tag_that_was_used);
    RUN(a_shortage_at_any_request_leaves_nothing_behind);
    RUN(a_back_end_is_looked_at);
    return failures != 0;
}
