#include <allot/structure/scratch.hpp>
#include <optional>

void scratch_open_at_the_end() {
    std::optional<allot::scratch> work;
    allot::scratch_arenas arenas({.name = "words"});
    work.emplace(arenas);
}
