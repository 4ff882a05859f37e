#include <allot/structure/module_arenas.hpp>

void module_arenas_member_left() {
    allot::module_arenas::membership member;
    allot::module_arenas host({.name = "plugins"});
    member = *host.try_join({.name = "json"});
}
