#include <allot/governance/tagged_heap.hpp>
#include <allot/source/malloc_source.hpp>

// Its one source frees block by block.
struct plain_factory : allot::source_factory {
    allot::memory_source* try_make(const allot::name&) noexcept override { return &source; }
    void destroy(allot::memory_source&) noexcept override {}
    allot::malloc_source source;
};

void tagged_heap_cannot_end() {
    plain_factory factory;
    allot::tagged_heap heap({.name = "app", .factory = &factory});
    (void)heap.source(allot::tags::edge).try_allocate({.size = 40});
    heap.end(allot::tags::edge);
}
