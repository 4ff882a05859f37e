#include <allot/allot.h>

void c_heap_wrong_tag(void) {
    allot_heap* heap;
    const allot_heap_options options = {.name = "app"};
    if (allot_heap_create(&options, &heap)) return;
    allot_heap_free_tagged(heap, ALLOT_TAG_EDGE, allot_heap_alloc(heap, ALLOT_TAG_NODE, 100));
}
