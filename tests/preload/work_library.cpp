// A library whose function allocates, with a name and a frame of its own for each of two builds.

#include <cstdlib>

extern "C" [[gnu::noinline]] void work_inner(int depth) {
    char room[ALLOT_WORK_ROOM];
    asm volatile("" : : "r"(room) : "memory");
    if (depth != 0)
        work_inner(depth - 1);
    else {
        void* block = malloc(ALLOT_WORK_SIZE);
        asm volatile("" : "+r"(block) : : "memory");
        free(block);
    }
    asm volatile("" : : "r"(room) : "memory");
}

extern "C" __attribute__((visibility("default"))) void work() {
    work_inner(5);
    asm volatile("");
}
