/* client: how a program that runs under `allot run` talks to the recorder in its own process.
 *
 * Use it to ask whether this process is observed, and for its own exact counts so far. Not needed to be
 * observed: any program is, without a change. C11 and C++, freestanding, nothing to link (before glibc 2.34:
 * -ldl).
 *
 * The recorder's preload library exports one constant, `allot_client_v1`. It is found by dlsym, not by a weak
 * reference, which a non-PIE program would never see. Without the recorder the answer is NULL.
 * Threads: all functions from any. The first allot_client_find of a source file asks the dynamic linker (its
 * lock, some microseconds): call it at start, not in a signal handler. Later calls are one load. A library
 * loaded later is not noticed.
 *
 *     const struct allot_client_v1 *client = allot_client_find();
 *     struct allot_client_totals totals = {.size = sizeof totals};
 *     if (client && client->process_totals(&totals) == 0)
 *         printf("%llu allocations\n", (unsigned long long)totals.allocations);
 */
#ifndef ALLOT_CORE_CLIENT_H
#define ALLOT_CORE_CLIENT_H

#include <dlfcn.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum allot_client_mode {
    ALLOT_CLIENT_NOT_OBSERVED = 0, /* the library is loaded, but this process is not recorded (any more) */
    ALLOT_CLIENT_COUNT = 1,
    ALLOT_CLIENT_FULL = 2
};

/* What live_bytes are. Unknown: not known inside the process (full mode), live_bytes is 0. */
enum allot_client_basis {
    ALLOT_CLIENT_LIVE_UNKNOWN = 0,
    ALLOT_CLIENT_LIVE_REQUESTED = 1,
    ALLOT_CLIENT_LIVE_USABLE = 2
};

/* Of the whole process since it was first observed. Exact when its other threads are quiet. */
struct allot_client_totals {
    uint32_t size;        /* the caller sets it to sizeof: no byte beyond it is written */
    uint32_t live_basis;  /* enum allot_client_basis */
    uint64_t allocations; /* successful, reallocations of a block included */
    uint64_t frees;       /* of a block, ends by realloc included */
    uint64_t reallocations;
    uint64_t allocated_bytes; /* requested */
    int64_t live_bytes;
};

/* A source or structure of the library (an arena, a pool) as it stands now. The newest report of an id replaces
 * the older ones; held_bytes 0 says that it holds nothing, perhaps for ever. Sources of one kind and name are one
 * row of the report, which adds them up; kind and name are those of the id's first report. */
struct allot_client_source {
    uint32_t size;     /* the caller sets it to sizeof */
    uint32_t reserved; /* 0 */
    uint64_t id;       /* 0: the recorder writes one, unique in the process, never used again */
    const char* kind;  /* "arena"; of at most 15 bytes */
    const char* name;  /* of at most 31 bytes; both are copied before the call returns */
    uint64_t held_bytes;
    uint64_t held_count; /* chunks or slabs */
};

/* Grows at its end only; `size` says how much of it the recorder has. */
struct allot_client_v1 {
    uint32_t version;                                          /* 1 */
    uint32_t size;                                             /* sizeof of the recorder's struct */
    int (*mode)(void);                                         /* enum allot_client_mode */
    int (*process_totals)(struct allot_client_totals* totals); /* 0; -1: not observed, or size too small */
    /* Since `size` 32; may be NULL. 0; -1: not observed (any more), or called by the handler of a signal that came
     * in the middle of such a call. For changes of held_bytes: not per block. */
    int (*report_source)(struct allot_client_source* source);
};

/* sizeof of the first allot_client_v1, which ended with process_totals: every recorder has so much. */
#define ALLOT_CLIENT_V1_SIZE_MIN 24

#define ALLOT_CLIENT_SYMBOL "allot_client_v1"

static inline const struct allot_client_v1* allot_client_find(void) {
    static const struct allot_client_v1* cached; /* NULL: never asked; `absent`: asked in vain */
    static const struct allot_client_v1 absent = {0, 0, 0, 0, 0};
    const struct allot_client_v1* client = __atomic_load_n(&cached, __ATOMIC_ACQUIRE);
    if (!client) {
        /* A null handle is RTLD_DEFAULT, whose name the C headers show only under _GNU_SOURCE. */
        client = (const struct allot_client_v1*)dlsym((void*)0, ALLOT_CLIENT_SYMBOL);
        if (!client || client->version != 1 || client->size < ALLOT_CLIENT_V1_SIZE_MIN) client = &absent;
        __atomic_store_n(&cached, client, __ATOMIC_RELEASE);
    }
    return client == &absent ? (const struct allot_client_v1*)0 : client;
}

/* 0; -1: no recorder, an older one, or one that does not observe. */
static inline int allot_client_report_source(struct allot_client_source* source) {
    const struct allot_client_v1* client = allot_client_find();
    if (!client || client->size < sizeof *client || !client->report_source) return -1;
    return client->report_source(source);
}

#ifdef __cplusplus
}
#endif

#endif
