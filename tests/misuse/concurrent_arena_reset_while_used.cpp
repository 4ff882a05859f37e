#include <allot/structure/concurrent_arena.hpp>
#include <chrono>
#include <thread>

// The reset must meet a call in the middle, so it tries until it does.
void concurrent_arena_reset_while_used() {
    allot::concurrent_arena graph({.name = "graph"});
    std::thread([&graph] {
        for (;;)
            (void)graph.try_allocate({8, 8}); // whole granules: ASan ends where one changes within its look
    }).detach();
    const auto start = std::chrono::steady_clock::now();
    while (std::chrono::steady_clock::now() - start < std::chrono::seconds(60)) graph.reset();
}
