#include <allot/allot.h>

int main(void) {
    allot_arena* arena;
    allot_source* source;
    const allot_arena_options options = {.name = "request"};
    if (allot_arena_create(&options, &arena) || allot_arena_source(arena, &source)) return 1;
    allot_source_destroy(source);
    return 0;
}
