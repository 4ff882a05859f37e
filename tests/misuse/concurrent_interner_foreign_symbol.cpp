#include <allot/structure/concurrent_interner.hpp>

void concurrent_interner_foreign_symbol() {
    allot::concurrent_interner names({.name = "names"});
    allot::concurrent_interner others;
    (void)names.intern("one");
    (void)others.intern("one");
    (void)names.resolve(others.intern("two"));
}
