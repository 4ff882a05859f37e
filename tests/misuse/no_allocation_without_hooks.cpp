#include <allot/testing/no_allocation.hpp>

int main() { allot::no_allocation scope; }
