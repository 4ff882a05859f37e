#include <allot/structure/scratch.hpp>
#include <optional>

int main() {
    std::optional<allot::scratch> work;
    allot::scratch_arenas arenas({.name = "words"});
    work.emplace(arenas);
}
