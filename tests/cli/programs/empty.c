/* empty: ends well at once; with an argument, when its input ends. Built in the ways that can't be observed. */
#include <unistd.h>

int main(int argc, char** argv) {
    char byte;
    (void)argv;
    while (argc > 1 && read(0, &byte, 1) == 1) {
    }
    return 0;
}
