#include <allot/structure/interner.hpp>

int main() {
    allot::interner names({.name = "names"});
    const allot::symbol before = names.intern("text");
    names.clear();
    (void)names.intern("text");
    (void)names.resolve(before);
}
