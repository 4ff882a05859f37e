#include <allot/document/template_cache.hpp>

int main() {
    allot::template_cache shapes({.name = "shapes"});
    const allot::pooled<allot::message> out = shapes.try_message();
    shapes.clear();
}
