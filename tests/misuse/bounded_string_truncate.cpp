#include <allot/structure/bounded_string.hpp>

void bounded_string_truncate() {
    allot::tiered_pool texts({.name = "texts"});
    allot::bounded_string text(texts, "short");
    text.truncate(6);
}
