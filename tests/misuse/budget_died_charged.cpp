#include <allot/governance/budget.hpp>

void budget_died_charged() {
    allot::budget limit({.name = "tenant"});
    (void)limit.try_charge(40);
}
