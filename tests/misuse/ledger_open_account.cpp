#include <allot/governance/ledger.hpp>

int main() {
    auto* const books = new allot::ledger({.name = "app"});
    const allot::account page(*books, allot::tags::parse);
    delete books;
}
