#include <allot/governance/budget.hpp>

int main() {
    allot::budget limit({.name = "tenant"});
    (void)limit.try_charge(40);
}
