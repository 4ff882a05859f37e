#include <allot/document/template_cache.hpp>

void template_cache_clear() {
    allot::template_cache shapes({.name = "shapes"});
    const allot::pooled<allot::message> out = shapes.try_message();
    shapes.clear();
}
