#include <allot/governance/listed_source.hpp>

void listed_source_foreign_block() {
    allot::listed_source parser({.name = "parser"});
    allot::listed_source cache({.name = "cache"});
    void* const block = parser.try_allocate({.size = 100});
    cache.deallocate(block, {.size = 100});
}
