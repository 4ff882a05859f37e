#include <allot/allot.h>

void c_heap_foreign_block(void) {
    allot_heap *heap, *other;
    const allot_heap_options options = {.name = "app"};
    if (allot_heap_create(&options, &heap) || allot_heap_create(NULL, &other)) return;
    /* Both know the tag, so that only the block's head tells whose it is. */
    allot_heap_free(heap, allot_heap_alloc(heap, ALLOT_TAG_NODE, 100));
    allot_heap_free(heap, allot_heap_alloc(other, ALLOT_TAG_NODE, 100));
}
