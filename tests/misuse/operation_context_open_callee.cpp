#include <allot/structure/operation_context.hpp>

int main() {
    allot::operation_context render({.name = "render"});
    allot::operation_context callee({.name = "brighten"}, render);
    render.reset();
}
