#include <allot/governance/budget.hpp>

void budget_refund_too_much() {
    allot::budget limit({.name = "tenant", .quantum_bytes = 0});
    (void)limit.try_charge(60);
    limit.refund(100);
}
