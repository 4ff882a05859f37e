#include <allot/structure/scratch.hpp>

void scratch_upstream() {
    allot::arena below;
    allot::scratch_arenas arenas({.name = "words", .upstream = &below});
}
