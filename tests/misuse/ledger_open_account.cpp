#include <allot/governance/ledger.hpp>

void ledger_open_account() {
    auto* const books = new allot::ledger({.name = "app"});
    const allot::account page(*books, allot::tags::parse);
    delete books;
}
