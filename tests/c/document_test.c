/* Interned texts, bounded texts, documents with JSON, XML and paths, by nothing but <allot/allot.h>. */
#include <allot/allot.h>

#include "check.h"

static bool is(allot_view text, const char* wanted) { return allot_view_equal(text, allot_view_of(wanted)); }

static void equal_texts_have_one_symbol(void) {
    allot_interner* names = NULL;
    CHECK(allot_interner_create(NULL, &names) == ALLOT_OK);
    const allot_symbol first = allot_interner_intern(names, allot_view_of("request"));
    CHECK(first != 0 && allot_interner_intern(names, allot_view_of("request")) == first);
    CHECK(allot_interner_find(names, allot_view_of("reply")) == 0);
    CHECK(allot_interner_intern(names, allot_view_of("reply")) != first);
    CHECK(is(allot_interner_text(names, first), "request") && allot_interner_count(names) == 2);
    CHECK(allot_interner_usage(names).held_bytes > 0);
    CHECK(allot_interner_text(names, 0).data == NULL && allot_last_status() == ALLOT_BAD_ARGUMENT);
    CHECK(allot_interner_text(names, 77).data == NULL);
    CHECK(allot_interner_text(NULL, first).data == NULL &&
          allot_interner_intern(NULL, allot_view_of("x")) == 0);
    allot_view no_text;
    no_text.data = NULL;
    no_text.size = 3;
    CHECK(allot_interner_intern(names, no_text) == 0 && allot_last_status() == ALLOT_BAD_ARGUMENT);
    CHECK(allot_interner_find(NULL, no_text) == 0 && allot_interner_count(NULL) == 0);
    CHECK(allot_interner_create(NULL, NULL) == ALLOT_BAD_ARGUMENT);
    allot_interner_destroy(names);
    allot_interner_destroy(NULL);

    const allot_interner_options small = {.name = "small", .limit_bytes = 64};
    CHECK(allot_interner_create(&small, &names) == ALLOT_OK);
    CHECK(allot_interner_intern(names, allot_view_of("x")) == 0 &&
          allot_last_status() == ALLOT_OUT_OF_MEMORY);
    CHECK(strstr(allot_last_error(), "'small' refused") != NULL);
    allot_interner_destroy(names);
}

static void a_text_moves_to_a_larger_slot_and_is_never_cut(void) {
    const allot_text_tier tiers[] = {{16, 2}, {64, 1}};
    const allot_text_pool_options options = {.name = "notes", .tiers = tiers, .tier_count = 2};
    allot_text_pool* pool = NULL;
    CHECK(allot_text_pool_create(&options, &pool) == ALLOT_OK);
    allot_text note = {0};
    CHECK(allot_text_open(&note, pool) == ALLOT_OK);
    CHECK(allot_text_open(&note, pool) == ALLOT_BAD_ARGUMENT); /* it is open */
    CHECK(allot_text_set(&note, allot_view_of("a plan")) == ALLOT_OK && allot_text_capacity(&note) == 15);
    CHECK(allot_text_append(&note, allot_text_view(&note)) == ALLOT_OK); /* its own bytes */
    CHECK(allot_text_append(&note, allot_view_of(", and another")) == ALLOT_OK);
    CHECK(is(allot_text_view(&note), "a plana plan, and another") && allot_text_capacity(&note) == 63);
    CHECK(allot_text_resize(&note, 64, '.') == ALLOT_OUT_OF_MEMORY);
    CHECK(is(allot_text_view(&note), "a plana plan, and another"));
    CHECK(allot_text_resize(&note, 6, '.') == ALLOT_OK && allot_text_shrink(&note));
    CHECK(is(allot_text_view(&note), "a plan") && allot_text_capacity(&note) == 15);
    CHECK(allot_text_pool_usage(pool).live_bytes == 7);
    allot_text_close(&note);
    allot_text_close(&note);
    CHECK(allot_text_pool_usage(pool).live_bytes == 0);
    CHECK(allot_text_set(&note, allot_view_of("x")) == ALLOT_BAD_ARGUMENT); /* closed */
    CHECK(allot_text_view(&note).data == NULL && allot_text_capacity(NULL) == 0 && !allot_text_shrink(NULL));
    CHECK(allot_text_open(NULL, pool) == ALLOT_BAD_ARGUMENT &&
          allot_text_open(&note, NULL) == ALLOT_BAD_ARGUMENT);
    allot_text_pool_destroy(pool);

    const allot_text_tier wrong[][2] = {
        {{16, 1}, {16, 1}}, {{15, 1}, {32, 1}}, {{16, 0}, {32, 1}}, {{0, 1}, {16, 1}}};
    for (size_t i = 0; i != sizeof wrong / sizeof *wrong; ++i) {
        const allot_text_pool_options bad = {.tiers = wrong[i], .tier_count = 2};
        CHECK(allot_text_pool_create(&bad, &pool) == ALLOT_BAD_ARGUMENT && pool == NULL);
    }
    CHECK(allot_text_pool_create(NULL, &pool) == ALLOT_BAD_ARGUMENT);
}

static void paths_read_and_edit(void) {
    allot_document* memory = NULL;
    const allot_document_options options = {.name = "agent", .limit_bytes = 1 << 20};
    CHECK(allot_document_create(&options, &memory) == ALLOT_OK);
    CHECK(allot_value_type(allot_document_root(memory)) == ALLOT_NONE);
    CHECK(allot_document_set_text(memory, "agent.notes[0].text", allot_view_of("read first")) == ALLOT_OK);
    CHECK(allot_document_set_int(memory, "agent.retries", -3) == ALLOT_OK);
    CHECK(allot_document_set_double(memory, "agent.load", 0.5) == ALLOT_OK);
    CHECK(allot_document_set_bool(memory, "agent.ready", true) == ALLOT_OK);
    CHECK(allot_document_set_null(memory, "agent.parent") == ALLOT_OK);
    CHECK(allot_document_set_array(memory, "agent.list") == ALLOT_OK);
    CHECK(allot_document_set_object(memory, "agent.notes[-]") == ALLOT_OK);

    const allot_value agent = allot_document_get(memory, "agent");
    CHECK(allot_value_type(agent) == ALLOT_OBJECT && allot_value_count(agent) == 6);
    CHECK(is(allot_value_key(allot_value_at(agent, 1)), "retries"));
    CHECK(allot_value_int(allot_value_get(agent, "retries"), 7) == -3);
    CHECK(allot_value_uint(allot_value_get(agent, "retries"), 7) == 7); /* it is below 0 */
    CHECK(allot_value_double(allot_value_get(agent, "load"), 0) == 0.5);
    CHECK(allot_value_bool(allot_value_get(agent, "ready"), false));
    CHECK(allot_value_type(allot_value_get(agent, "parent")) == ALLOT_NULL);
    CHECK(is(allot_value_text(allot_value_get(agent, "notes[0].text")), "read first"));
    CHECK(allot_value_type(allot_value_at(agent, 6)) == ALLOT_NONE);
    CHECK(allot_value_type(allot_value_get(agent, NULL)) == ALLOT_NONE);
    CHECK(allot_value_type(allot_document_get(NULL, "a")) == ALLOT_NONE);

    CHECK(allot_document_set_null(memory, "agent.retries.x") == ALLOT_BAD_INPUT);
    CHECK(strstr(allot_last_error(), "path 'agent.retries.x', column 15") != NULL);
    CHECK(allot_document_set_null(memory, "agent..x") == ALLOT_BAD_INPUT);
    CHECK(allot_document_remove(memory, "agent.retries") == ALLOT_OK);
    CHECK(allot_document_remove(memory, "agent.retries") == ALLOT_NOT_FOUND);
    CHECK(allot_document_set_null(NULL, "a") == ALLOT_BAD_ARGUMENT);
    CHECK(allot_document_set_null(memory, NULL) == ALLOT_BAD_ARGUMENT);
    CHECK(allot_document_remove(memory, NULL) == ALLOT_BAD_ARGUMENT);
    CHECK(allot_document_usage(memory).live_bytes > 0);
    allot_document_clear(memory);
    CHECK(allot_value_type(allot_document_root(memory)) == ALLOT_NONE);
    allot_document_destroy(memory);
    allot_document_destroy(NULL);
}

static void xml_is_read_and_written(void) {
    allot_document* page = NULL;
    allot_buffer* out = NULL;
    CHECK(allot_document_create(NULL, &page) == ALLOT_OK && allot_buffer_create(NULL, &out) == ALLOT_OK);
    CHECK(allot_document_write_xml(page, out, 0) == ALLOT_NOT_FOUND);
    CHECK(allot_document_read_xml(page, allot_view_of("<a x='1' y='2'>t<b/></a>")) == ALLOT_OK);
    const allot_value root = allot_document_root(page);
    CHECK(allot_value_type(root) == ALLOT_ELEMENT && is(allot_value_key(root), "a"));
    CHECK(allot_value_attribute_count(root) == 2 &&
          is(allot_value_key(allot_value_attribute_at(root, 1)), "y"));
    CHECK(is(allot_value_text(allot_document_get(page, "@x")), "1"));
    CHECK(allot_value_count(root) == 2 && allot_value_type(allot_value_at(root, 0)) == ALLOT_TEXT);
    CHECK(allot_document_write_xml(page, out, 0) == ALLOT_OK);
    CHECK(is(allot_buffer_view(out), "<a x=\"1\" y=\"2\">t<b/></a>"));

    CHECK(allot_document_read_xml(page, allot_view_of("<a>\n</b>")) == ALLOT_BAD_INPUT);
    CHECK(strcmp(allot_last_error(), "line 2, column 1, byte 4: not the end tag that is due, that of 'a'") ==
          0);
    CHECK(allot_value_attribute_count(allot_document_root(page)) == 2); /* as it was */
    CHECK(allot_document_read_xml(NULL, allot_view_of("<a/>")) == ALLOT_BAD_ARGUMENT);
    CHECK(allot_document_write_xml(page, NULL, 0) == ALLOT_BAD_ARGUMENT);
    allot_buffer_destroy(out);
    allot_document_destroy(page);
}

static void json_is_read_and_written(void) {
    allot_document* config = NULL;
    allot_buffer* out = NULL;
    CHECK(allot_document_create(NULL, &config) == ALLOT_OK && allot_buffer_create(NULL, &out) == ALLOT_OK);
    CHECK(allot_document_set_int(config, "retries", 3) == ALLOT_OK);
    CHECK(allot_document_write_json(config, out, 0) == ALLOT_OK);
    CHECK(is(allot_buffer_view(out), "{\"retries\":3}"));
    const allot_status read =
        allot_document_read_json(config, allot_view_of("{\"hosts\": [\"a\", 18446744073709551615]}"));
    if (read == ALLOT_BAD_INPUT && strstr(allot_last_error(), "built without JSON") != NULL) {
        printf("  %s\n", allot_last_error());
    } else {
        CHECK(read == ALLOT_OK);
        CHECK(is(allot_value_text(allot_document_get(config, "hosts[0]")), "a"));
        CHECK(allot_value_uint(allot_document_get(config, "hosts[1]"), 0) == UINT64_MAX);
        CHECK(allot_value_type(allot_document_get(config, "hosts[1]")) == ALLOT_UINT);
        CHECK(allot_document_read_json(config, allot_view_of("{\"a\":\n1,}")) == ALLOT_BAD_INPUT);
        CHECK(strncmp(allot_last_error(), "line 2, column 3, byte 8", 24) == 0);
    }
    CHECK(allot_document_read_xml(config, allot_view_of("<a/>")) == ALLOT_OK);
    CHECK(allot_document_write_json(config, out, 0) == ALLOT_BAD_INPUT); /* an element is no JSON */
    CHECK(is(allot_buffer_view(out), "{\"retries\":3}"));
    CHECK(allot_document_read_json(NULL, allot_view_of("1")) == ALLOT_BAD_ARGUMENT);
    allot_buffer_destroy(out);
    allot_document_destroy(config);
}

static void documents_share_their_keys(void) {
    allot_interner* keys = NULL;
    allot_document* both[2] = {NULL, NULL};
    CHECK(allot_interner_create(NULL, &keys) == ALLOT_OK);
    const allot_document_options options = {.keys = keys};
    for (int i = 0; i != 2; ++i) {
        CHECK(allot_document_create(&options, &both[i]) == ALLOT_OK);
        CHECK(allot_document_set_int(both[i], "name", i) == ALLOT_OK);
    }
    CHECK(allot_interner_count(keys) == 1 && allot_interner_find(keys, allot_view_of("name")) != 0);
    for (int i = 0; i != 2; ++i) allot_document_destroy(both[i]);
    allot_interner_destroy(keys);
}

/* All of it, where the n-th request is refused, until none is. */
static void survives_each_point_of_shortage(void) {
    unsigned long refusals = 0;
    for (unsigned long at = 1;; ++at) {
        struct counting state = {0};
        state.refuse_at = at;
        const allot_backend table = backend_of(&state);
        allot_source* below = NULL;
        if (allot_source_create("below", &table, &below) != ALLOT_OK) continue;
        const allot_text_tier tiers[] = {{16, 1}};
        const allot_document_options options = {.upstream = below};
        const allot_text_pool_options texts = {.upstream = below, .tiers = tiers, .tier_count = 1};
        allot_document* document = NULL;
        allot_buffer* out = NULL;
        allot_text_pool* pool = NULL;
        allot_status status = allot_text_pool_create(&texts, &pool);
        if (status == ALLOT_OK) status = allot_document_create(&options, &document);
        if (status == ALLOT_OK) status = allot_buffer_create(below, &out);
        if (status == ALLOT_OK)
            status = allot_document_read_xml(document, allot_view_of("<a b='c'>a longer text</a>"));
        if (status == ALLOT_OK) status = allot_document_write_xml(document, out, 2);
        if (status == ALLOT_OK)
            status = allot_document_set_text(document, "@b", allot_view_of("another longer text"));
        CHECK(status == ALLOT_OK || status == ALLOT_OUT_OF_MEMORY);
        allot_text_pool_destroy(pool);
        allot_buffer_destroy(out);
        allot_document_destroy(document);
        allot_source_destroy(below);
        CHECK(state.live_count == 0 && state.wrong_count == 0);
        if (status == ALLOT_OK) break;
        ++refusals;
    }
    CHECK(refusals > 5);
}

int main(void) {
    RUN(equal_texts_have_one_symbol);
    RUN(a_text_moves_to_a_larger_slot_and_is_never_cut);
    RUN(paths_read_and_edit);
    RUN(xml_is_read_and_written);
    RUN(json_is_read_and_written);
    RUN(documents_share_their_keys);
    RUN(survives_each_point_of_shortage);
    return failures != 0;
}
