#include <allot/structure/concurrent_interner.hpp>

void concurrent_interner_many_too_few() {
    allot::concurrent_interner names({.name = "names"});
    const std::string_view texts[] = {"one", "two", "three"};
    allot::symbol symbols[2];
    (void)names.intern_many(texts, symbols);
}
