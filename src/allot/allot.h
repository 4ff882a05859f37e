/* allot.h: the C interface: arenas, pools, a heap with tags, documents, views and copies that know their bounds.
 *
 * For C11 programs, and for C++ that wants no templates; C++ programs take <allot/allot.hpp>, which has more and
 * costs less (a hot call here is a function call of its own). The one header to include: what places memory stands
 * here, the other chapters in allot/c/: base.h (errors, numbers, sources), bytes.h, text.h, document.h. Of the system
 * they include <stdbool.h>, <stddef.h> and <stdint.h> alone. Link with -lallot; a static liballot.a also
 * wants -lstdc++ (pkg-config --static says so).
 *
 * Ownership: X_create makes what X_destroy ends; both take their own memory from the `upstream` of the options,
 *   which outlives what stands on it. NULL for an upstream is the default source, which stands on malloc. Strings
 *   given as names are copied, 31 bytes of them. X_destroy(NULL) does nothing.
 * Threads: an arena, a pool, a buffer, an interner, a text pool, a document is used by one thread at a time, with
 *   what stands in it; a heap, a tag and the default source by any number, where its upstream is thread-safe. A
 *   view or a slice is a value. No handle is bound to a thread.
 * Errors: a function that can fail answers an allot_status or a pointer that may be NULL; allot_last_status() and
 *   allot_last_error() say why. Nothing is written, taken or changed by a call that fails. No NULL argument
 *   crashes; one that is not allowed is ALLOT_BAD_ARGUMENT. What only a bug does (a second free, a block of
 *   another heap) ends the program with one line `allot: fatal: …` at check level on and full, see the functions.
 * Cost, in instructions at level on: an arena's allocation 46, a pool's pair 60, a scratch opened, used and closed
 *   597, a heap's pair 514 over the default source, 128 of them malloc's (scripts/bench --check '^c/', its loop of
 *   about 10 included). No C++ exception leaves a function.
 *
 *     ALLOT_SCOPED_ARENA(request); // destroyed on every way out of this block
 *     const allot_arena_options options = {.name = "request", .limit_bytes = 1 << 20};
 *     if (allot_arena_create(&options, &request) != ALLOT_OK) return complain(allot_last_error());
 *     const char *line = allot_arena_copy_string(request, "GET /index.html");
 *     struct node *head = allot_arena_alloc(request, sizeof *head);
 *     if (line == NULL || head == NULL) return complain(allot_last_error());
 *     // allot: out of memory: arena 'request' refused 2097152 bytes (aligned to 16): 4096 of 1048576 are live
 */
#ifndef ALLOT_ALLOT_H
#define ALLOT_ALLOT_H

#include <allot/c/base.h>
#include <allot/c/bytes.h>
#include <allot/c/document.h>
#include <allot/c/text.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Arenas: what goes all at once ---- */

typedef struct allot_arena allot_arena;

/* All zero is a good arena. */
typedef struct allot_arena_options {
    const char* name; /* NULL: "arena" */
    allot_source* upstream;
    uint64_t limit_bytes;      /* of what it holds; 0: none */
    size_t chunk_bytes_min;    /* the first chunk, each next one is twice as large; 0: 4 KiB */
    size_t chunk_bytes_max;    /* 0: 1 MiB, or chunk_bytes_min where that is more */
    uint64_t retain_bytes_max; /* kept by a reset at most; 0: all */
    void* first_chunk;         /* borrowed, used first: a static or stack buffer that outlives the arena */
    size_t first_chunk_bytes;
} allot_arena_options;

/* options NULL: all zero. Takes its first chunk with its first allocation. *out is NULL after a failure. */
ALLOT_API ALLOT_MUST_LOOK allot_status allot_arena_create(const allot_arena_options* options,
                                                          allot_arena** out);
/* Invalidates: every block of it. Expects: nothing stands on its source. */
ALLOT_API void allot_arena_destroy(allot_arena* arena);

/* All of these: NULL on failure. A block is valid until the rewind, reset or destroy that ends it, and is never
 * given back by itself. Uninitialised and aligned for every type unless it says otherwise: a struct that follows a
 * string is aligned, too. Size 0 gives a block of 1 byte. */
ALLOT_API void* allot_arena_alloc(allot_arena* arena, size_t size);
ALLOT_API void* allot_arena_alloc_aligned(allot_arena* arena, size_t size, size_t align);
/* count * item_size bytes, all zero; an overflow is ALLOT_OUT_OF_RANGE. */
ALLOT_API void* allot_arena_alloc_array(allot_arena* arena, size_t count, size_t item_size);
/* A copy of the bytes; NULL with size 0 is allowed. */
ALLOT_API void* allot_arena_copy(allot_arena* arena, const void* bytes, size_t size);
/* Copies with a zero behind them, aligned to 1. A NULL string is ALLOT_BAD_ARGUMENT. */
ALLOT_API char* allot_arena_copy_string(allot_arena* arena, const char* zero_terminated);
ALLOT_API char* allot_arena_copy_view(allot_arena* arena, allot_view text);

/* A place to rewind to. Opaque; dead once the arena was rewound to an older one or reset. */
typedef struct allot_arena_mark {
    void* frame_;
    uint64_t serial_, scopes_;
} allot_arena_mark;

/* Cannot fail, but for a NULL arena, whose mark rewinds nothing. */
ALLOT_API allot_arena_mark allot_arena_get_mark(allot_arena* arena);
/* Ends what was allocated since; the mark stays alive, chunks are kept.
 * Fatal: `arena 'x': rewind to a mark that is dead or of another arena`. */
ALLOT_API void allot_arena_rewind(allot_arena* arena, allot_arena_mark to);
/* Ends everything; keeps chunks up to retain_bytes_max. */
ALLOT_API void allot_arena_reset(allot_arena* arena);
/* Ends everything and gives all chunks upstream. */
ALLOT_API void allot_arena_release(allot_arena* arena);
/* Exact, for the owner; all zero for NULL. */
ALLOT_API allot_usage allot_arena_usage(const allot_arena* arena);
/* The arena as an upstream for others: it goes with the arena. NULL for NULL, which would be malloc: so look. */
ALLOT_API ALLOT_MUST_LOOK allot_status allot_arena_source(allot_arena* arena, allot_source** out);

/* Scopes: cleaned up on every way out of the block that they are declared in: its end, break, continue, return,
 * goto. (GCC's and Clang's cleanup attribute.) Two ways in and out pass them by: a goto or a switch that jumps over
 * the declaration into its block, which don't write; and longjmp, which runs no cleanup: an arena is lost then, an
 * ALLOT_ARENA_SCOPE's memory is ended by the next scope, rewind or reset outside it. To longjmp, set the arena up
 * outside the setjmp.
 *
 * ALLOT_SCOPED_ARENA(request); declares an arena that is not there yet, and destroys the one that
 * allot_arena_create put there. It is two statements because a creation can fail: there is no block that would be
 * passed over in silence, and a status that nobody looks at is a compiler warning.
 *
 * ALLOT_ARENA_SCOPE(request); rewinds the arena to here when the block ends. It cannot fail. Scopes nest. */
typedef struct allot_arena_scope {
    allot_arena* arena;
    allot_arena_mark begin;
} allot_arena_scope;
static inline allot_arena_scope allot_arena_scope_begin(allot_arena* arena) {
    allot_arena_scope scope;
    scope.arena = arena;
    scope.begin = allot_arena_get_mark(arena);
    return scope;
}
static inline void allot_arena_scope_end(allot_arena_scope* scope) {
    allot_arena_rewind(scope->arena, scope->begin);
}
static inline void allot_arena_scope_destroy(allot_arena** arena) { allot_arena_destroy(*arena); }

#define ALLOT_JOIN_INNER(a, b) a##b
#define ALLOT_JOIN(a, b) ALLOT_JOIN_INNER(a, b)
/* NOLINTBEGIN(bugprone-macro-parentheses): what is declared has none */
#define ALLOT_SCOPED_ARENA(variable)                                                                         \
    __attribute__((cleanup(allot_arena_scope_destroy))) allot_arena* variable = NULL
#define ALLOT_ARENA_SCOPE(arena)                                                                             \
    __attribute__((cleanup(allot_arena_scope_end), unused)) allot_arena_scope ALLOT_JOIN(                    \
        allot_scope_at_, __LINE__) = allot_arena_scope_begin(arena)
/* NOLINTEND(bugprone-macro-parentheses) */

/* ---- Scratch: this thread's memory for the length of a scope ---- */

/* For the temporaries of an operation: its memory is warm, and gone when the scope ends. Scopes nest: a scratch
 * takes another of the thread's arenas than the scratch around it, so that neither frees the other's memory.
 * ALLOT_SCRATCH(work); declares one that is closed on every way out (as above; longjmp past an open scratch is a
 * bug). Not for what outlives the scope, nor for other threads. Opaque, and never copied. */
typedef struct allot_scratch {
    allot_source* source_; /* NULL: not open */
    uint64_t storage_[15];
} allot_scratch;
/* NOLINTNEXTLINE(bugprone-macro-parentheses) */
#define ALLOT_SCRATCH(variable)                                                                              \
    __attribute__((cleanup(allot_scratch_close))) allot_scratch variable = {NULL, {0}}

/* `beside`: a scratch that is allocated from while this one is open, mostly the caller's for the result; or NULL.
 * What an outer scratch asks for while a newer one is open on its arena would die with the newer one, and is fatal.
 * ALLOT_OUT_OF_MEMORY: the thread's first, and there is no room for its 2.5 KiB. */
ALLOT_API ALLOT_MUST_LOOK allot_status allot_scratch_open(allot_scratch* where, const allot_scratch* beside);
/* Ends what was allocated from it; does nothing where it is not open.
 * Fatal: `scratch 'x': a scope ends before a newer one`, `… on another thread than it began on`. */
ALLOT_API void allot_scratch_close(allot_scratch* scratch);
/* As the arena's. */
ALLOT_API void* allot_scratch_alloc(allot_scratch* scratch, size_t size);
ALLOT_API void* allot_scratch_alloc_aligned(allot_scratch* scratch, size_t size, size_t align);
ALLOT_API void* allot_scratch_alloc_array(allot_scratch* scratch, size_t count, size_t item_size);
/* As an upstream: a buffer of the operation, say. It goes with the scratch. */
ALLOT_API ALLOT_MUST_LOOK allot_status allot_scratch_source(allot_scratch* scratch, allot_source** out);

/* ---- Pools: slots of one size that come and go ---- */

typedef struct allot_pool allot_pool;

/* The slab sizes of the usual kinds: pass one as slab_bytes. */
#define ALLOT_SLAB_NODES ((size_t)4096)
#define ALLOT_SLAB_EDGES ((size_t)8192)
#define ALLOT_SLAB_BUFFERS ((size_t)65536)

typedef struct allot_pool_options {
    const char* name; /* NULL: "pool" */
    allot_source* upstream;
    size_t slot_size;        /* required */
    size_t slot_align;       /* a power of two; 0: that of max_align_t */
    uint64_t slot_count_max; /* a bounded pool; 0: it grows */
    uint64_t limit_bytes;    /* of what it takes from upstream; 0: none */
    size_t slab_bytes;       /* every slab; 0: 4 KiB, then twice as large each time up to 1 MiB */
} allot_pool_options;

/* Takes its first slab with its first slot. *out is NULL after a failure. */
ALLOT_API ALLOT_MUST_LOOK allot_status allot_pool_create(const allot_pool_options* options, allot_pool** out);
/* Invalidates: every slot; those that still live are a leak that goes with it. */
ALLOT_API void allot_pool_destroy(allot_pool* pool);
/* A slot, uninitialised, the one freed last first; NULL when the pool is exhausted or memory is short. */
ALLOT_API void* allot_pool_alloc(allot_pool* pool);
/* O(1). NULL is allowed. Fatal: `pool 'x': slot 0x… given back twice`, `… is no slot of this pool`, and more. */
ALLOT_API void allot_pool_free(allot_pool* pool, void* slot);
/* Whether the address lies in a slot that was handed out at least once. */
ALLOT_API bool allot_pool_owns(const allot_pool* pool, const void* address);
ALLOT_API allot_usage allot_pool_usage(const allot_pool* pool);
/* The pool as an upstream for what fits a slot; it goes with the pool. */
ALLOT_API ALLOT_MUST_LOOK allot_status allot_pool_source(allot_pool* pool, allot_source** out);

/* ---- Tags and a heap that counts by them ---- */

/* Whom memory is for: a name in a tree of names that lives as long as the process. */
typedef uint16_t allot_tag;
enum {
    ALLOT_TAG_UNTAGGED = 0,
    ALLOT_TAG_GENERAL = 1,
    ALLOT_TAG_EDGE = 2,
    ALLOT_TAG_NODE = 3,
    ALLOT_TAG_PARSE = 4,
    ALLOT_TAG_CBOR = 5,
    ALLOT_TAG_PLUGIN = 6,
    ALLOT_TAG_CACHE = 7,
    ALLOT_TAG_TEMP = 8
};

/* The tag of that name (1 to 31 bytes) under `parent`, made where it is new: the same for all who ask. There is
 * room for 1,024, the ready-made ones included; the next is ALLOT_OUT_OF_MEMORY. */
ALLOT_API ALLOT_MUST_LOOK allot_status allot_tag_make(const char* name, allot_tag parent, allot_tag* out);
/* Lives for ever; NULL for a number that is no tag. */
ALLOT_API const char* allot_tag_name(allot_tag tag);

typedef struct allot_heap allot_heap;

typedef struct allot_heap_options {
    const char* name; /* NULL: "heap" */
    allot_source* upstream;
    uint64_t limit_bytes; /* of its blocks and their headers; 0: none */
} allot_heap_options;

/* options NULL: all zero. 20 KiB, and 1.2 KiB a tag that is used. */
ALLOT_API ALLOT_MUST_LOOK allot_status allot_heap_create(const allot_heap_options* options, allot_heap** out);
/* ALLOT_STILL_LIVE while blocks are out, and then nothing happens: allot_heap_report says whose they are. */
ALLOT_API allot_status allot_heap_destroy(allot_heap* heap);

/* NULL on failure. Each block has a header of 16 bytes before it (for an alignment above 16: of one alignment), so
 * that it can be freed by its pointer alone and a wrong tag is found. Where you know sizes take allot_heap_source,
 * which has none. */
ALLOT_API void* allot_heap_alloc(allot_heap* heap, allot_tag tag, size_t size);
ALLOT_API void* allot_heap_alloc_aligned(allot_heap* heap, allot_tag tag, size_t size, size_t align);
/* All zero; an overflow of the product is ALLOT_OUT_OF_RANGE. */
ALLOT_API void* allot_heap_alloc_array(allot_heap* heap, allot_tag tag, size_t count, size_t item_size);
/* A copy of the string with its zero, freed by allot_heap_free. ALLOT_TOO_SMALL when it is longer than length_max. */
ALLOT_API char* allot_heap_copy_string(allot_heap* heap, allot_tag tag, const char* zero_terminated,
                                       size_t length_max);
/* The block with another size, moved perhaps, its first bytes kept, its tag and alignment the same; NULL: the old
 * block lives on. A NULL block is ALLOT_BAD_ARGUMENT: it has no tag. */
ALLOT_API void* allot_heap_resize(allot_heap* heap, void* block, size_t new_size);
/* By pointer alone, from any thread. NULL is allowed.
 * Fatal: `heap 'x': 0x… is not a live block of this heap`. */
ALLOT_API void allot_heap_free(allot_heap* heap, void* block);
/* The same, and the caller says whose it is.
 * Fatal: `heap 'x': block 0x… of 100 bytes of tag 'node' came back to 'edge'`; at level off it goes to its owner. */
ALLOT_API void allot_heap_free_tagged(allot_heap* heap, allot_tag tag, void* block);
/* What was asked for, and for whom. Fatal as in allot_heap_free; NULL: 0, ALLOT_TAG_UNTAGGED. */
ALLOT_API size_t allot_heap_block_size(const allot_heap* heap, const void* block);
ALLOT_API allot_tag allot_heap_block_tag(const allot_heap* heap, const void* block);

/* Of all tags together, and of one by itself, without the tags below it. limit_bytes stands in the former. */
ALLOT_API allot_usage allot_heap_usage(const allot_heap* heap);
ALLOT_API allot_usage allot_heap_tag_usage(const allot_heap* heap, allot_tag tag);
/* A table of all tags that were used, a line a call, each ended by a newline and a zero. Allocates nothing. */
ALLOT_API ALLOT_MUST_LOOK allot_status
allot_heap_report(const allot_heap* heap, void (*write)(void* to, const char* line, size_t size), void* to);
/* The tag as an upstream for an arena, a pool or a buffer: what they take stands in its numbers and under the
 * heap's limit. Lives as long as the heap. */
ALLOT_API ALLOT_MUST_LOOK allot_status allot_heap_source(allot_heap* heap, allot_tag tag, allot_source** out);

#ifdef __cplusplus
}
#endif

#endif
