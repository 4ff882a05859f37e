/* victim FILE THREADS ROUNDS [CODE]: allocates and frees until it is killed (ROUNDS 0) or done, and keeps its own count
 * in FILE, mapped, where it outlives every kind of death.
 *
 * FILE: the first word is 1 while all threads work and 2 when all are done, the second the process id; then a
 * cache line for each thread with its allocations and frees. A word goes up right after its call: it is at
 * most 1 behind the truth. With CODE, SIGINT and SIGTERM end the program with that exit code, otherwise they
 * have their default effect. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

struct line {
    volatile uint64_t allocations, frees, unused[6];
};
static struct line* file; /* line 0 is the state */
static unsigned long rounds;
static int code;
static pthread_barrier_t barrier;

__attribute__((noinline)) static void* churn_victim(size_t size) {
    char* volatile block = malloc(size);
    if (block) block[0] = 1;
    return block;
}

static void* work(void* argument) {
    struct line* mine = argument;
    pthread_barrier_wait(&barrier);
    file[0].frees = (uint64_t)getpid();
    file[0].allocations = 1;
    for (unsigned long round = 0; rounds == 0 || round < rounds; round++) {
        void* block = churn_victim(16 + round % 1000);
        mine->allocations++;
        free(block);
        mine->frees++;
    }
    return NULL;
}

static void end(int signal) {
    (void)signal;
    _exit(code);
}

int main(int count, char** arguments) {
    if (count < 4) return fprintf(stderr, "usage: victim FILE THREADS ROUNDS [CODE]\n"), 2;
    const int fd = open(arguments[1], O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, 65 * sizeof(struct line)) != 0) return perror("victim"), 2;
    file = mmap(NULL, 65 * sizeof(struct line), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (file == MAP_FAILED) return perror("victim"), 2;
    const int threads = atoi(arguments[2]);
    if (threads < 1 || threads > 64) return 2;
    rounds = strtoul(arguments[3], NULL, 10);
    if (count > 4) {
        code = atoi(arguments[4]);
        signal(SIGINT, end), signal(SIGTERM, end);
    }
    pthread_barrier_init(&barrier, NULL, (unsigned)threads);
    pthread_t all[64];
    for (int i = 1; i < threads; i++)
        if (pthread_create(&all[i], NULL, work, &file[i + 1]) != 0) return 2;
    work(&file[1]);
    for (int i = 1; i < threads; i++) pthread_join(all[i], NULL);
    file[0].allocations = 2;
    return 0;
}
