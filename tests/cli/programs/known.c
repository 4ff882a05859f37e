/* known: a heap whose numbers are known: 1,000 blocks of 100 bytes from one place, 600 of them freed, and 50 blocks
 * that are temporary. With an argument: then ends by that signal. */
#include <signal.h>
#include <stdlib.h>

static void* blocks[1000];

__attribute__((noinline)) static void fill(void) {
    for (int i = 0; i < 1000; ++i) blocks[i] = malloc(100);
}
__attribute__((noinline)) static void pass(void) {
    for (int i = 0; i < 50; ++i) {
        void* volatile brief = malloc(7);
        free(brief);
    }
}

int main(int argc, char** argv) {
    fill();
    pass();
    for (int i = 0; i < 600; ++i) free(blocks[i]);
    if (argc > 1) raise(atoi(argv[1]));
    return 0;
}
