#include <allot/structure/module_arenas.hpp>

void module_arenas_upstream() {
    allot::arena below;
    allot::module_arenas host({.name = "plugins", .upstream = &below});
}
