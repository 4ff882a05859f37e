#include <allot/document/document.hpp>

#include <vector>

void document_too_many_snapshots() {
    allot::document message({.name = "message"});
    (void)message.set_root(1);
    std::vector<allot::document> kept;
    kept.reserve(1'000'001);
    for (;;) kept.push_back(message.snapshot());
}
