#include <allot/allot.h>

static char bytes[4096];
static void* allocate(void* state, size_t size, size_t align) {
    (void)state, (void)size, (void)align;
    return bytes + 1;
}
static void give_back(void* state, void* address, size_t size, size_t align) {
    (void)state, (void)address, (void)size, (void)align;
}

void c_source_misaligned(void) {
    const allot_backend table = {.allocate = allocate, .give_back = give_back};
    allot_source* source;
    if (allot_source_create("odd", &table, &source)) return;
}
