// A foreign program: uses what is compiled into the library, not only what headers hold. The tests of this folder build
// it in each way in which allot can be had.
#include <allot/allot.hpp>

#include <cstdio>

int main() {
    allot::note_refusal({.who = "consumer", .kind = "test", .asked = {.size = 40, .align = 8}});
    std::printf("%s, check level %d\n", allot::last_refusal().who.c_str(), static_cast<int>(allot::checks));
}
