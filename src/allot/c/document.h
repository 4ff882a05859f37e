/* document.h: JSON and XML as a tree within a limit, edited in place, read and written by paths.
 *
 * Included by <allot/allot.h>.
 *
 *     if (allot_document_read_json(memory, text) != ALLOT_OK) return complain(allot_last_error());
 *     // line 3, column 7, byte 52: …
 *     if (allot_document_set_int(memory, "agent.steps", 7) != ALLOT_OK) return complain(allot_last_error());
 *     int64_t steps = allot_value_int(allot_document_get(memory, "agent.steps"), 0);
 */
#ifndef ALLOT_C_DOCUMENT_H
#define ALLOT_C_DOCUMENT_H

#include <allot/c/bytes.h>
#include <allot/c/text.h>

#ifdef __cplusplus
extern "C" {
#endif

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

/* Paths: "agent.notes[3].text", with [-] behind the last item, llm\.gpt or ["llm.gpt"] for a name with a dot,
 * @id for an attribute; "" is the root. What is missing on the way is created; ALLOT_BAD_INPUT: the path
 * breaks its grammar, or something else stands on the way. The tree is as it was then. */
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

#ifdef __cplusplus
}
#endif

#endif
