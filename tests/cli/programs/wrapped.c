/* wrapped: 10 blocks of 100 bytes that two callers take through two wrappers, one around the other. */
#include <stdlib.h>

static void* volatile kept;

__attribute__((noinline)) void* xmalloc(size_t size) {
    void* made = malloc(size);
    if (made == NULL) abort();
    return made;
}
__attribute__((noinline)) void* xcalloc(size_t count, size_t size) {
    void* made = xmalloc(count * size);
    *(char*)made = 0;
    return made;
}
__attribute__((noinline)) static void seven(void) {
    for (int i = 0; i < 7; ++i) kept = xcalloc(10, 10);
}
__attribute__((noinline)) static void three(void) {
    for (int i = 0; i < 3; ++i) kept = xmalloc(100);
}

int main(void) {
    seven();
    three();
    return 0;
}
