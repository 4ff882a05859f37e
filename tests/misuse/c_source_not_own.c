#include <allot/allot.h>

void c_source_not_own(void) {
    allot_arena* arena;
    allot_source* source;
    const allot_arena_options options = {.name = "request"};
    if (allot_arena_create(&options, &arena) || allot_arena_source(arena, &source)) return;
    allot_source_destroy(source);
}
