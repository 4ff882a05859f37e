#include <allot/structure/scratch.hpp>
#include <memory>

void scratch_order() {
    auto outer = std::make_unique<allot::scratch>();
    allot::scratch inner;
    outer.reset();
}
