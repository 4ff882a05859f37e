#include <allot/structure/scratch.hpp>

void scratch_conflicts() {
    allot::scratch one;
    auto two = allot::scratch::beside(one);
    auto three = allot::scratch::beside(one, two);
    auto four = allot::scratch::beside(one, two, three);
    auto five = allot::scratch::beside(one, two, three, four);
}
