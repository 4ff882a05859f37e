#include <allot/structure/module_arenas.hpp>

int main() {
    allot::arena below;
    allot::module_arenas host({.name = "plugins", .upstream = &below});
}
