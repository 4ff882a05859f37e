// Two requests at once in arenas of one name, a third after them; sessions in a pool.
#include <allot/allot.hpp>

#include <cstdio>

int main() {
    const allot::arena_options request{.name = "request", .chunk_bytes_min = 4096};
    std::size_t peak = 0;
    {
        allot::arena first(request), second(request);
        for (int i = 0; i != 20; ++i) (void)first.allocate(1000);
        (void)second.allocate(1000);
        peak = first.usage().held_bytes + second.usage().held_bytes;
    }
    allot::arena third(request);
    (void)third.allocate(10);
    allot::pool sessions({.name = "sessions", .slot = {.size = 64, .align = 16}});
    void* const session = sessions.try_allocate();
    std::printf("%zu %zu %zu\n", peak, static_cast<std::size_t>(third.usage().held_bytes),
                static_cast<std::size_t>(sessions.usage().held_bytes));
    std::fflush(stdout);
    if (session != nullptr) std::_Exit(0); // nothing ends: all is held at exit
}
