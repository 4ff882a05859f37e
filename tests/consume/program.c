/* A foreign program in C: an arena until its limit is met, by nothing but allot.h. The tests of this folder
 * build it in the ways in which allot is installed. */
#include <allot/allot.h>

#include <stdio.h>

int main(void) {
    ALLOT_SCOPED_ARENA(memory);
    const allot_arena_options options = {.name = "arena", .limit_bytes = 8192};
    if (allot_arena_create(&options, &memory) != ALLOT_OK) return 1;
    const void* numbers = allot_arena_alloc_array(memory, 100, sizeof(int));
    const void* more = allot_arena_alloc(memory, 8192);
    printf("%d bytes, %s\n", numbers ? (int)allot_arena_usage(memory).live_bytes : 0,
           more ? "no limit" : allot_last_error());
    return 0;
}
