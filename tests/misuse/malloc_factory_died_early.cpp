#include <allot/governance/malloc_factory.hpp>

void malloc_factory_died_early() {
    allot::malloc_factory factory;
    (void)factory.try_make("a");
    (void)factory.try_make("b");
}
