#include <allot/structure/concurrent_bounded_pool.hpp>
#include <thread>

void concurrent_bounded_pool_given_back_twice() {
    allot::concurrent_bounded_pool frames(
        {.name = "frames", .slot = {.size = 64, .align = 8}, .slot_count = 1});
    void* const slot = frames.allocate();
    frames.deallocate(slot);
    std::thread([&] { frames.deallocate(slot); }).join();
}
