#include <allot/structure/operation_context.hpp>

void operation_context_open_callee() {
    allot::operation_context render({.name = "render"});
    allot::operation_context callee({.name = "brighten"}, render);
    render.reset();
}
