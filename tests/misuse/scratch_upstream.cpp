#include <allot/structure/scratch.hpp>

int main() {
    allot::arena below;
    allot::scratch_arenas arenas({.name = "words", .upstream = &below});
}
