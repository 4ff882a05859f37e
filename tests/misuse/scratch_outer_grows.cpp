// The outer scope's text grows in an operation that did not name it as a conflict.
#include <allot/structure/scratch.hpp>
#include <string>

void scratch_outer_grows() {
    allot::scratch outer;
    std::pmr::string text(&outer);
    allot::scratch other;
    allot::scratch inner; // takes its turn on the arena of `outer`
    text.assign(1000, 'x');
}
