#include <allot/allot.h>

int main(void) {
    allot_heap* heap;
    const allot_heap_options options = {.name = "app"};
    if (allot_heap_create(&options, &heap)) return 1;
    allot_heap_free_tagged(heap, ALLOT_TAG_EDGE, allot_heap_alloc(heap, ALLOT_TAG_NODE, 100));
    return 0;
}
