#include <allot/structure/scratch.hpp>
#include <memory>

int main() {
    auto outer = std::make_unique<allot::scratch>();
    allot::scratch inner;
    outer.reset();
}
