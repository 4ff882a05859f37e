#include <allot/governance/tagged_heap.hpp>

void tagged_heap_wrong_tag() {
    allot::tagged_heap heap({.name = "app"});
    void* const block = heap.source(allot::tags::node).try_allocate({.size = 100});
    heap.source(allot::tags::edge).deallocate(block, {.size = 100});
}
