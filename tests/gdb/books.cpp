#include <allot/structure/arena.hpp>
#include <allot/structure/concurrent_bounded_typed_pool.hpp>
#include <allot/structure/typed_pool.hpp>

struct session {
    int user;
};

void stop_here() { asm volatile(""); }

int main() {
    allot::arena request({.name = "request", .chunk_bytes_min = 4096});
    (void)request.allocate(100);
    (void)request.allocate(31);
    request.deallocate(request.allocate(50), 50);

    allot::pool rows({.name = "rows", .slot = {.size = 64, .align = 8}, .slab_slot_count = 10});
    void* first = rows.allocate();
    for (int i = 0; i != 11; ++i) (void)rows.allocate();
    rows.deallocate(first);

    allot::typed_pool<session> sessions({.object_count = 5});
    (void)sessions.make(1);

    allot::concurrent_bounded_pool frames(
        {.name = "frames", .slot = {.size = 100, .align = 8}, .slot_count = 40});
    for (int i = 0; i != 3; ++i) (void)frames.allocate();
    allot::concurrent_bounded_typed_pool<session> shared({.name = "shared", .object_count = 6});
    (void)shared.make(1);
    stop_here();
}
