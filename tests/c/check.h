/* check: the little that a test in C needs, so that it includes nothing of allot but allot.h. */
#ifndef ALLOT_TESTS_C_CHECK_H
#define ALLOT_TESTS_C_CHECK_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int failures;

static inline void failed(const char* file, int line, const char* what) {
    fprintf(stderr, "%s:%d: not so: %s\n", file, line, what);
    ++failures;
}
#define CHECK(condition) ((condition) ? (void)0 : failed(__FILE__, __LINE__, #condition))

/* Prints the name, too, so that a crash has one. */
#define RUN(test) (printf("%s\n", #test), fflush(stdout), test())

/* A back end that counts, and refuses the request number refuse_at and, if lasting, all that follow. */
struct counting {
    unsigned long request_count, refuse_at;
    bool lasting;
    size_t live_bytes, live_count;
    size_t wrong_count; /* blocks that came back with another layout */
};

struct counted_head {
    size_t size, align;
};

static inline void* counting_allocate(void* state, size_t size, size_t align) {
    struct counting* it = (struct counting*)state;
    const unsigned long request = ++it->request_count;
    if (it->refuse_at != 0 && (request == it->refuse_at || (it->lasting && request > it->refuse_at)))
        return NULL;
    if (size > SIZE_MAX / 4) return NULL;
    const size_t before = align < sizeof(struct counted_head) ? sizeof(struct counted_head) : align;
    char* begin = (char*)aligned_alloc(before, (before + size + before - 1) / before * before);
    if (begin == NULL) return NULL;
    char* block = begin + before;
    struct counted_head head;
    head.size = size;
    head.align = align;
    memcpy(block - sizeof head, &head, sizeof head);
    it->live_bytes += size;
    ++it->live_count;
    return block;
}

static inline void counting_give_back(void* state, void* address, size_t size, size_t align) {
    struct counting* it = (struct counting*)state;
    struct counted_head head;
    memcpy(&head, (char*)address - sizeof head, sizeof head);
    if (head.size != size || head.align != align) ++it->wrong_count;
    it->live_bytes -= size;
    --it->live_count;
    free((char*)address - (align < sizeof head ? sizeof head : align));
}

static inline allot_backend backend_of(struct counting* state) {
    allot_backend table;
    memset(&table, 0, sizeof table);
    table.state = state;
    table.allocate = counting_allocate;
    table.give_back = counting_give_back;
    return table;
}

#endif
