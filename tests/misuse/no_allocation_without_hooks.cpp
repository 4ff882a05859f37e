#include <allot/testing/no_allocation.hpp>

void no_allocation_without_hooks() { allot::no_allocation scope; }
