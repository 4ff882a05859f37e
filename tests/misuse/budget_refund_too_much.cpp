#include <allot/governance/budget.hpp>

int main() {
    allot::budget limit({.name = "tenant", .quantum_bytes = 0});
    (void)limit.try_charge(60);
    limit.refund(100);
}
