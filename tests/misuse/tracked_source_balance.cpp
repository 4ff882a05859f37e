#include <allot/governance/tracked_source.hpp>

void tracked_source_balance() {
    allot::ledger books;
    allot::tracked_source nodes({.name = "nodes", .books = &books, .whose = allot::tags::node});
    (void)nodes.try_allocate({.size = 100});
}
