#include <allot/structure/slot_map.hpp>

int main() {
    allot::slot_map<int> users({.name = "users"});
    const allot::slot_handle<int> gone = users.emplace(7);
    users.erase(gone);
    return users.at(gone);
}
