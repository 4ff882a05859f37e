/* text.h: texts that are there once (interned), and texts in slots that were reserved before (bounded).
 *
 * Included by <allot/allot.h>. Interned are names that come again and again; bounded are texts that change and may
 * never take more than there was at the start. For any bytes that grow: allot_buffer (bytes.h).
 *
 *     allot_symbol host = allot_interner_intern(names, allot_view_of("host"));
 *     if (host == 0) return complain(allot_last_error());
 */
#ifndef ALLOT_C_TEXT_H
#define ALLOT_C_TEXT_H

#include <allot/c/bytes.h>

#ifdef __cplusplus
extern "C" {
#endif

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

#ifdef __cplusplus
}
#endif

#endif
