#include <allot/governance/listed_source.hpp>

void listed_source_wrong_size() {
    allot::listed_source parser({.name = "parser"});
    void* const block = parser.try_allocate({.size = 96});
    parser.deallocate(block, {.size = 100});
}
