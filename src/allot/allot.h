/* allot.h: the C interface: arenas, pools, a heap with tags, documents, views and copies that know their bounds.
 *
 * For C11 programs, and for C++ that wants no templates; C++ programs take <allot/allot.hpp>, which has more and
 * costs less (a hot call here is a function call of its own). It includes nothing but <stdbool.h>, <stddef.h> and
 * <stdint.h>. Link with -lallot; a static liballot.a also wants -lstdc++ (pkg-config --static says so).
 *
 * Ownership: X_create makes what X_destroy ends; both take their own memory from the `upstream` of the options,
 *   which outlives what stands on it. NULL for an upstream is the default source, which stands on malloc. Strings given as names are
 *   copied, 31 bytes of them. X_destroy(NULL) does nothing.
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

/* ---- Buffers: bytes that grow ---- */

typedef struct allot_buffer allot_buffer;

ALLOT_API ALLOT_MUST_LOOK allot_status allot_buffer_create(allot_source* upstream, allot_buffer** out);
ALLOT_API void allot_buffer_destroy(allot_buffer* buffer);
/* Grows to twice its size at least, in place where upstream can. The bytes may be the buffer's own. A failure (a sum that
 * overflows is ALLOT_OUT_OF_RANGE) leaves it as it was. Invalidates: views of it, when it moved. */
ALLOT_API ALLOT_MUST_LOOK allot_status allot_buffer_append(allot_buffer* buffer, const void* bytes,
                                                           size_t size);
/* Room for so many bytes in all. */
ALLOT_API ALLOT_MUST_LOOK allot_status allot_buffer_reserve(allot_buffer* buffer, size_t capacity);
/* Empty, with its capacity. */
ALLOT_API void allot_buffer_clear(allot_buffer* buffer);
/* Valid until the next append or reserve that grows it. */
ALLOT_API allot_view allot_buffer_view(const allot_buffer* buffer);
ALLOT_API size_t allot_buffer_capacity(const allot_buffer* buffer);

/* ---- Interned texts: each once ---- */

typedef struct allot_interner allot_interner;
typedef uint32_t allot_symbol; /* 0: none */

/* All zero is a good interner. */
typedef struct allot_interner_options {
    const char* name; /* NULL: "interner" */
    allot_source* upstream;
    uint64_t limit_bytes; /* of texts and tables; 0: none */
} allot_interner_options;

/* options NULL: all zero. *out is NULL after a failure. */
ALLOT_API ALLOT_MUST_LOOK allot_status allot_interner_create(const allot_interner_options* options,
                                                             allot_interner** out);
/* Invalidates: its texts. Expects: no document stands on it. */
ALLOT_API void allot_interner_destroy(allot_interner* interner);
/* Equal texts have one symbol; 0 on failure. */
ALLOT_API allot_symbol allot_interner_intern(allot_interner* interner, allot_view text);
/* 0 where it was never interned, which is no failure. */
ALLOT_API allot_symbol allot_interner_find(const allot_interner* interner, allot_view text);
/* Valid as long as the interner, a zero behind it; data is NULL (ALLOT_BAD_ARGUMENT) for a symbol that is not its. */
ALLOT_API allot_view allot_interner_text(const allot_interner* interner, allot_symbol symbol);
ALLOT_API size_t allot_interner_count(const allot_interner* interner);
ALLOT_API allot_usage allot_interner_usage(const allot_interner* interner);

/* ---- Bounded texts: in slots that were reserved before ---- */

typedef struct allot_text_pool allot_text_pool;

typedef struct allot_text_tier {
    size_t slot_bytes; /* a multiple of 16 below 2^28; the zero behind a text counts */
    size_t slot_count; /* at least 1 */
} allot_text_tier;

typedef struct allot_text_pool_options {
    const char* name; /* NULL: "texts" */
    allot_source* upstream;
    const allot_text_tier* tiers; /* required: at most 16, each with larger slots than the one before */
    size_t tier_count;
} allot_text_pool_options;

/* Takes all its slots at once. *out is NULL after a failure. */
ALLOT_API ALLOT_MUST_LOOK allot_status allot_text_pool_create(const allot_text_pool_options* options,
                                                              allot_text_pool** out);
/* Expects: its texts are closed. */
ALLOT_API void allot_text_pool_destroy(allot_text_pool* pool);
ALLOT_API allot_usage allot_text_pool_usage(const allot_text_pool* pool);

/* A text that moves to a larger slot when it outgrows its own. Opaque, all zero when it is not open, never copied.
 * What does not fit is refused as ALLOT_OUT_OF_MEMORY and the text stays whole: nothing is ever cut. */
typedef struct allot_text {
    allot_text_pool* pool_; /* NULL: not open */
    uint64_t storage_[3];
} allot_text;
/* Empty, without a slot. */
ALLOT_API ALLOT_MUST_LOOK allot_status allot_text_open(allot_text* where, allot_text_pool* pool);
/* Its slot goes back; does nothing where it is not open. */
ALLOT_API void allot_text_close(allot_text* text);
/* The view may be of the text itself. Invalidates: views of it. */
ALLOT_API ALLOT_MUST_LOOK allot_status allot_text_set(allot_text* text, allot_view to);
ALLOT_API ALLOT_MUST_LOOK allot_status allot_text_append(allot_text* text, allot_view more);
/* New bytes are `fill`. */
ALLOT_API ALLOT_MUST_LOOK allot_status allot_text_resize(allot_text* text, size_t size, char fill);
/* Down to the smallest slot that holds it; false where there is none smaller, or none free. */
ALLOT_API bool allot_text_shrink(allot_text* text);
/* A zero stands behind it. */
ALLOT_API allot_view allot_text_view(const allot_text* text);
ALLOT_API size_t allot_text_capacity(const allot_text* text);

/* ---- Documents: JSON and XML as a tree within a limit ---- */

typedef struct allot_document allot_document;

/* All zero is a good document. */
typedef struct allot_document_options {
    const char* name; /* NULL: "document" */
    allot_source* upstream;
    allot_interner* keys; /* shared with other documents; NULL: its own */
    uint64_t limit_bytes; /* of all that it takes, keys of its own included; 0: none */
} allot_document_options;

/* options NULL: all zero. *out is NULL after a failure. */
ALLOT_API ALLOT_MUST_LOOK allot_status allot_document_create(const allot_document_options* options,
                                                             allot_document** out);
/* Invalidates: every value of it. */
ALLOT_API void allot_document_destroy(allot_document* document);
ALLOT_API void allot_document_clear(allot_document* document);
ALLOT_API allot_usage allot_document_usage(const allot_document* document);

/* The tree is replaced, or as it was. ALLOT_BAD_INPUT: allot_last_error() says "line 3, column 7, byte 52: …".
 * XML: no document type, no entities but XML's five, comments and texts of blanks alone are dropped. JSON wants a
 * library that was built with simdjson, else that is the error. Depth: 1024. */
ALLOT_API ALLOT_MUST_LOOK allot_status allot_document_read_json(allot_document* document, allot_view text);
ALLOT_API ALLOT_MUST_LOOK allot_status allot_document_read_xml(allot_document* document, allot_view text);
/* Appended to `out`, which is as it was after a failure. indent: blanks a level, 0: one line. ALLOT_BAD_INPUT: the
 * tree has no such form: an element is no JSON. */
ALLOT_API ALLOT_MUST_LOOK allot_status allot_document_write_json(const allot_document* document,
                                                                 allot_buffer* out, unsigned indent);
ALLOT_API ALLOT_MUST_LOOK allot_status allot_document_write_xml(const allot_document* document,
                                                                allot_buffer* out, unsigned indent);

/* Paths: "agent.notes[3].text", with [-] behind the last item, llm\.gpt or ["llm.gpt"] for a name with a dot, @id for an
 * attribute; "" is the root. What is missing on the way is created; ALLOT_BAD_INPUT: the path breaks its grammar, or
 * something else stands on the way. The tree is as it was then. */
ALLOT_API ALLOT_MUST_LOOK allot_status allot_document_set_null(allot_document* document, const char* path);
ALLOT_API ALLOT_MUST_LOOK allot_status allot_document_set_bool(allot_document* document, const char* path,
                                                               bool truth);
ALLOT_API ALLOT_MUST_LOOK allot_status allot_document_set_int(allot_document* document, const char* path,
                                                              int64_t number);
ALLOT_API ALLOT_MUST_LOOK allot_status allot_document_set_double(allot_document* document, const char* path,
                                                                 double number);
ALLOT_API ALLOT_MUST_LOOK allot_status allot_document_set_text(allot_document* document, const char* path,
                                                               allot_view text);
/* Empty ones. */
ALLOT_API ALLOT_MUST_LOOK allot_status allot_document_set_array(allot_document* document, const char* path);
ALLOT_API ALLOT_MUST_LOOK allot_status allot_document_set_object(allot_document* document, const char* path);
/* ALLOT_NOT_FOUND where nothing is there. */
ALLOT_API ALLOT_MUST_LOOK allot_status allot_document_remove(allot_document* document, const char* path);

/* What stands at one place. Valid until the next call that changes its document; a value of nothing is ALLOT_NONE,
 * and every question to it has an answer: 0, an empty view, the `otherwise`. None of these fails. */
typedef struct allot_value {
    const void* cell_;
    const void* store_;
} allot_value;

typedef enum allot_type {
    ALLOT_NONE = 0, /* nothing is there */
    ALLOT_NULL,
    ALLOT_BOOL,
    ALLOT_INT,
    ALLOT_UINT, /* above INT64_MAX */
    ALLOT_DOUBLE,
    ALLOT_TEXT,
    ALLOT_ARRAY,
    ALLOT_OBJECT,
    ALLOT_ELEMENT, /* of XML: the key is its name */
    ALLOT_OTHER    /* a comment, CDATA or instruction */
} allot_type;

ALLOT_API allot_value allot_document_root(const allot_document* document);
ALLOT_API allot_value allot_document_get(const allot_document* document, const char* path);
/* From a value on. NULL is no path: ALLOT_NONE. */
ALLOT_API allot_value allot_value_get(allot_value from, const char* path);
ALLOT_API allot_type allot_value_type(allot_value value);
/* Children: items, members, an element's elements and texts; from `count` on ALLOT_NONE. */
ALLOT_API size_t allot_value_count(allot_value value);
ALLOT_API allot_value allot_value_at(allot_value value, size_t index);
ALLOT_API size_t allot_value_attribute_count(allot_value value);
ALLOT_API allot_value allot_value_attribute_at(allot_value value, size_t index);
/* A member's key, an element's or attribute's name. */
ALLOT_API allot_view allot_value_key(allot_value value);
ALLOT_API allot_view allot_value_text(allot_value value);
ALLOT_API bool allot_value_bool(allot_value value, bool otherwise);
ALLOT_API int64_t allot_value_int(allot_value value, int64_t otherwise);
ALLOT_API uint64_t allot_value_uint(allot_value value, uint64_t otherwise);
ALLOT_API double allot_value_double(allot_value value, double otherwise);

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

#ifdef __cplusplus
}
#endif

#endif
