#include <allot/structure/interner.hpp>

void interner_stale_symbol() {
    allot::interner names({.name = "names"});
    const allot::symbol before = names.intern("text");
    names.clear();
    (void)names.intern("text");
    (void)names.resolve(before);
}
