#include <allot/governance/budget.hpp>

int main() {
    auto* const top = new allot::budget({.name = "tenant"});
    const allot::budget child({.name = "session", .parent = top});
    delete top;
}
