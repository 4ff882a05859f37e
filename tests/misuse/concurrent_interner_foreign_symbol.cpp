#include <allot/structure/concurrent_interner.hpp>

int main() {
    allot::concurrent_interner names({.name = "names"});
    allot::concurrent_interner others;
    (void)names.intern("one");
    (void)others.intern("one");
    (void)names.resolve(others.intern("two"));
}
