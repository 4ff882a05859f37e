#include <allot/governance/malloc_factory.hpp>

int main() {
    allot::malloc_factory factory;
    (void)factory.try_make("a");
    (void)factory.try_make("b");
}
