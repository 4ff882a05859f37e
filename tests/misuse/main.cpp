// misuse_cases CASE: runs one of the functions below, which must not come back.

#include <cstdio>
#include <string_view>

#define ALLOT_CASE(name) void name();
#define ALLOT_C_CASE(name) extern "C" void name();
#include "cases.inc" // made by CMakeLists.txt
#undef ALLOT_CASE
#undef ALLOT_C_CASE

namespace {
struct {
    std::string_view name;
    void (*run)();
} constexpr cases[] = {
#define ALLOT_CASE(name) {#name, name},
#define ALLOT_C_CASE(name) {#name, name},
#include "cases.inc"
};
} // namespace

int main(int count, char** words) {
    for (const auto& each : cases)
        if (count == 2 && each.name == words[1]) {
            each.run();
            return 0; // what is checked at the end of the program speaks now
        }
    std::fprintf(stderr, "usage: misuse_cases CASE\n");
    return 2;
}
