#include <allot/structure/operation_context.hpp>

void operation_context_given_back_wrong() {
    allot::operation_context render({.name = "render"});
    void* const block = render.allocate(100);
    render.deallocate(block, 50);
}
