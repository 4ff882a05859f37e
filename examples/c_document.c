/* c_document: what an agent remembers, in a tree with a limit: read from JSON, added to by paths, written back. */
#include <allot/allot.h>

#include <stdio.h>

static int complain(const char* error) {
    printf("%s\n", error);
    return 1;
}

int main(void) {
    const allot_document_options options = {.name = "agent", .limit_bytes = 64 * 1024};
    allot_document* memory = NULL;
    if (allot_document_create(&options, &memory) != ALLOT_OK) return complain(allot_last_error());

    const allot_view text = allot_view_of("{\"agent\": {\"role\": \"reviewer\", \"notes\": []}}");
    if (allot_document_read_json(memory, text) != ALLOT_OK) return complain(allot_last_error());

    const char* const notes[] = {"read the header first", "then break it"};
    for (size_t i = 0; i != 2; ++i)
        if (allot_document_set_text(memory, "agent.notes[-].text", allot_view_of(notes[i])) != ALLOT_OK)
            return complain(allot_last_error());
    const allot_value kept = allot_document_get(memory, "agent.notes");
    for (size_t i = 0; i != allot_value_count(kept); ++i)
        printf("%s\n", allot_value_text(allot_value_get(allot_value_at(kept, i), "text")).data);

    /* Neither changes the tree. */
    static char long_note[100000];
    const allot_view too_long = {long_note, sizeof long_note};
    if (allot_document_set_text(memory, "agent.plan", too_long) != ALLOT_OK) complain(allot_last_error());
    if (allot_document_read_json(memory, allot_view_of("{\"agent\": }")) != ALLOT_OK) complain(allot_last_error());

    allot_document_destroy(memory);
    return 0;
}
