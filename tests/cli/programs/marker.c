/* marker: a library that a user preloads; says so on stdout when it is loaded. */
#include <unistd.h>

__attribute__((constructor)) static void say(void) {
    if (write(1, "marker loaded\n", 14) != 14) _exit(1);
}
