#include <allot/structure/operation_context.hpp>

int main() {
    allot::operation_context render({.name = "render"});
    void* const block = render.allocate(100);
    render.deallocate(block, 50);
}
