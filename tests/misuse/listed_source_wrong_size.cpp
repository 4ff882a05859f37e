#include <allot/governance/listed_source.hpp>

int main() {
    allot::listed_source parser({.name = "parser"});
    void* const block = parser.try_allocate({.size = 96});
    parser.deallocate(block, {.size = 100});
}
