#include <allot/allot.h>

void c_pool_freed_twice(void) {
    allot_pool* pool;
    const allot_pool_options options = {.name = "sessions", .slot_size = 64};
    if (allot_pool_create(&options, &pool)) return;
    void* slot = allot_pool_alloc(pool);
    allot_pool_free(pool, slot);
    allot_pool_free(pool, slot);
}
