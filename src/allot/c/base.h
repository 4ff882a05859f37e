/* base.h: what all of the C interface needs: statuses and errors, numbers, sources.
 *
 * Included by <allot/allot.h>, whose opening says who owns what and which threads may call; include that one.
 *
 *     allot_source *from_pages;
 *     const allot_backend backend = {.allocate = take_pages, .give_back = give_pages, .thread_safe = true};
 *     if (allot_source_create("pages", &backend, &from_pages) != ALLOT_OK) return complain(allot_last_error());
 */
#ifndef ALLOT_C_BASE_H
#define ALLOT_C_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ALLOT_API __attribute__((visibility("default")))
#define ALLOT_MUST_LOOK __attribute__((warn_unused_result))

/* ---- Errors ---- */

typedef enum allot_status {
    ALLOT_OK = 0,
    ALLOT_OUT_OF_MEMORY, /* a limit, a bounded pool or the system said no: allot_last_error() says which */
    ALLOT_BAD_ARGUMENT,  /* NULL where there must be something, an alignment that is no power of two … */
    ALLOT_TOO_SMALL,     /* the destination: nothing was written, nothing is ever cut */
    ALLOT_OVERLAPS,      /* source and destination have bytes in common */
    ALLOT_OUT_OF_RANGE,  /* beyond the end, or a size that overflows */
    ALLOT_STILL_LIVE,    /* blocks are out, so it was not destroyed */
    ALLOT_BAD_INPUT, /* a text that is no JSON or XML, a path that cannot be followed: the error says where */
    ALLOT_NOT_FOUND  /* nothing is there, so nothing was removed */
} allot_status;

/* In words; a string that lives for ever. */
ALLOT_API const char* allot_status_text(allot_status status);
/* Of this thread's newest failure; as errno, a call that succeeds leaves it alone. ALLOT_OK: there was none. */
ALLOT_API allot_status allot_last_status(void);
/* That failure in a sentence, with who refused and how much was live; "" when there was none. Never NULL. Valid
 * until this thread's next allot_last_error(). */
ALLOT_API const char* allot_last_error(void);

/* ---- Numbers ---- */

/* As in allot/core/usage.hpp: what a thing does not have is 0 (a limit: UINT64_MAX). Bytes are requested bytes. */
typedef struct allot_usage {
    uint64_t live_bytes, live_count;   /* handed out and not given back */
    uint64_t peak_live_bytes;          /* the highest that live_bytes ever was */
    uint64_t total_bytes, total_count; /* handed out, ever; total_count - live_count were given back */
    uint64_t refused_count;
    uint64_t held_bytes, peak_held_bytes, held_count; /* taken from upstream: chunks, slabs */
    uint64_t slack_bytes, free_bytes;                 /* held == live + slack + free */
    uint64_t limit_bytes;
    uint64_t behind_bytes_max; /* live may differ from the truth by so much while other threads are inside */
} allot_usage;

/* ---- Sources: where memory comes from ---- */

/* Hands out blocks of any size. Opaque: NULL is the default source; others are made by allot_source_create or
 * are somebody's: allot_arena_source, allot_pool_source, allot_heap_source. */
typedef struct allot_source allot_source;

/* A back end of your own: another allocator, shared memory, a test that refuses. `allocate` answers NULL on
 * shortage, else `size` bytes (never 0) aligned to `align` (a power of two); `give_back` gets exactly the size and
 * alignment of the block. Neither longjmps or throws out. Calls come from the threads that use what stands on it. */
typedef struct allot_backend {
    void* state; /* passed to every call */
    void* (*allocate)(void* state, size_t size, size_t align);
    void (*give_back)(void* state, void* address, size_t size, size_t align);
    /* In place to new_size: true; or false, and nothing changed. May be NULL. */
    bool (*resize)(void* state, void* address, size_t size, size_t align, size_t new_size);
    bool thread_safe; /* any call from any thread at any time: what a heap for many threads needs */
} allot_backend;

/* The table is copied; state must outlive the source. Its own 150 bytes come from the back end, too. */
ALLOT_API ALLOT_MUST_LOOK allot_status allot_source_create(const char* name, const allot_backend* backend,
                                                           allot_source** out);
/* Expects: nothing stands on it any more.
 * Fatal, always: `source 'x' is not one of allot_source_create`. */
ALLOT_API void allot_source_destroy(allot_source* source);
/* NULL on shortage. align: a power of two, 0 for that of max_align_t. */
ALLOT_API void* allot_source_alloc(allot_source* source, size_t size, size_t align);
/* With the size and align of its allocation; NULL is allowed. */
ALLOT_API void allot_source_free(allot_source* source, void* address, size_t size, size_t align);
/* What the source counts, from any thread. Of the default source: refused_count alone. */
ALLOT_API allot_usage allot_source_usage(const allot_source* source);

#ifdef __cplusplus
}
#endif

#endif
