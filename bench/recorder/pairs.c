/* pairs: N pairs of malloc and free at a stack depth of 20, from one call site or from two in turn.
 * Usage: pairs one|alternating N. Prints the nanoseconds of wall time a pair took. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static volatile char* block;

__attribute__((noinline)) static void one_site(long pairs) {
    for (long i = 0; i < pairs; ++i) {
        block = malloc(64);
        block[0] = 1;
        free((void*)block);
    }
}

__attribute__((noinline)) static void first(void) {
    block = malloc(48);
    block[0] = 1;
    free((void*)block);
    __asm__ volatile("" ::: "memory");
}

__attribute__((noinline)) static void second(void) {
    block = malloc(80);
    block[0] = 1;
    free((void*)block);
    __asm__ volatile("" ::: "memory");
}

__attribute__((noinline)) static void alternating_sites(long pairs) {
    for (long i = 0; i < pairs; i += 2) {
        first();
        second();
    }
}

__attribute__((noinline)) static void descend(int depth, void (*work)(long), long pairs) {
    if (depth == 0)
        work(pairs);
    else
        descend(depth - 1, work, pairs);
    __asm__ volatile("" ::: "memory"); /* keeps the call from becoming a jump */
}

int main(int argc, char** argv) {
    if (argc != 3) {
        fputs("usage: pairs one|alternating N\n", stderr);
        return 2;
    }
    long pairs = atol(argv[2]);
    struct timespec start, end;
    clock_gettime(CLOCK_MONOTONIC, &start);
    descend(16, strcmp(argv[1], "one") == 0 ? one_site : alternating_sites, pairs);
    clock_gettime(CLOCK_MONOTONIC, &end);
    printf("%.3f\n", ((double)(end.tv_sec - start.tv_sec) * 1e9 + (double)(end.tv_nsec - start.tv_nsec)) /
                         (double)pairs);
    return 0;
}
