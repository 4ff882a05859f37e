#include <allot/structure/module_arenas.hpp>

void module_arenas_leased() {
    allot::module_arenas host({.name = "plugins"});
    auto member = *host.try_join({.name = "json"});
    auto first = host.try_lease("json");
    auto second = host.try_lease("json");
    member.end();
}
