#include <allot/structure/interner.hpp>

void interner_many_too_few() {
    allot::interner names({.name = "names"});
    const std::string_view texts[] = {"one", "two", "three"};
    allot::symbol symbols[2];
    (void)names.intern_many(texts, symbols);
}
