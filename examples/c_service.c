/* c_service: sessions in a heap that counts by tag and has a limit; each request in an arena that is gone on every
 * way out. */
#include <allot/allot.h>

#include <stdio.h>

struct session {
    struct session* next;
    const char* user;
};

static struct session* sessions;

static allot_status log_in(allot_heap* heap, allot_view user) {
    ALLOT_SCOPED_ARENA(request);
    const allot_arena_options options = {.name = "request", .limit_bytes = 16 * 1024};
    allot_status status = allot_arena_create(&options, &request);
    if (status != ALLOT_OK) return status;

    const char* name = allot_arena_copy_view(request, user); /* dies with the request */
    if (name == NULL) return allot_last_status();

    struct session* made = allot_heap_alloc(heap, ALLOT_TAG_NODE, sizeof *made);
    if (made == NULL) return allot_last_status();
    made->user = allot_heap_copy_string(heap, ALLOT_TAG_GENERAL, name, 2000);
    if (made->user == NULL) {
        allot_heap_free(heap, made);
        return allot_last_status();
    }
    made->next = sessions;
    sessions = made;
    return ALLOT_OK;
}

static void print_line(void* to, const char* line, size_t size) { fwrite(line, 1, size, to); }

int main(void) {
    static char long_name[100000];
    for (size_t i = 0; i < sizeof long_name; ++i) long_name[i] = 'x';

    allot_heap* heap = NULL;
    const allot_heap_options options = {.name = "sessions", .limit_bytes = 4096};
    if (allot_heap_create(&options, &heap) != ALLOT_OK) return 1;

    const size_t sizes[] = {3, 1000, 3000, 2000, 2000, 100000};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; ++i) {
        const allot_view user = {long_name, sizes[i]};
        if (log_in(heap, user) != ALLOT_OK) printf("%s\n", allot_last_error());
    }
    if (allot_heap_report(heap, print_line, stdout) != ALLOT_OK) return 1;
    while (sessions != NULL) {
        struct session* gone = sessions;
        sessions = gone->next;
        allot_heap_free(heap, (void*)gone->user);
        allot_heap_free_tagged(heap, ALLOT_TAG_NODE, gone);
    }
    return allot_heap_destroy(heap) == ALLOT_OK ? 0 : 1;
}
