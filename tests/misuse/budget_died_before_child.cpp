#include <allot/governance/budget.hpp>

void budget_died_before_child() {
    auto* const top = new allot::budget({.name = "tenant"});
    const allot::budget child({.name = "session", .parent = top});
    delete top;
}
