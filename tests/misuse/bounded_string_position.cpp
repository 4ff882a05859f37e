#include <allot/structure/bounded_string.hpp>

int main() {
    allot::tiered_pool texts({.name = "texts"});
    allot::bounded_string text(texts, "short");
    text.erase(6);
}
