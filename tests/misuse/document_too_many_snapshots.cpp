#include <allot/document/document.hpp>

#include <vector>

int main() {
    allot::document message({.name = "message"});
    (void)message.set_root(1);
    std::vector<allot::document> kept;
    kept.reserve(1'000'001);
    for (;;) kept.push_back(message.snapshot());
}
