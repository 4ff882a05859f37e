#include <allot/structure/slot_map.hpp>

void slot_map_stale_handle() {
    allot::slot_map<int> users({.name = "users"});
    const allot::slot_handle<int> gone = users.emplace(7);
    users.erase(gone);
    (void)users.at(gone);
}
