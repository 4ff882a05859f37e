/* An overrun of the block before: here by hand, as malloc promises no neighbour. */
#include <allot/allot.h>
#include <string.h>

void c_heap_head_overrun(void) {
    allot_heap* heap;
    const allot_heap_options options = {.name = "app"};
    if (allot_heap_create(&options, &heap)) return;
    char* block = allot_heap_alloc(heap, ALLOT_TAG_NODE, 100);
    memset(block - 16, 1, 1);
    allot_heap_free(heap, block);
}
