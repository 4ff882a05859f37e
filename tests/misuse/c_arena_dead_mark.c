#include <allot/allot.h>

void c_arena_dead_mark(void) {
    allot_arena* arena;
    const allot_arena_options options = {.name = "request"};
    if (allot_arena_create(&options, &arena)) return;
    const allot_arena_mark first = allot_arena_get_mark(arena);
    if (!allot_arena_alloc(arena, 100)) return;
    const allot_arena_mark second = allot_arena_get_mark(arena);
    allot_arena_rewind(arena, first);
    allot_arena_rewind(arena, second);
}
