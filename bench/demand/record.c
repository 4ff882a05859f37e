// What one size class of a program's heap does: a bit for each of its operations, 1 an allocation, 0 a free.
//
// Preloaded by bench/demand/record. The class is by usable size: DEMAND_SIZE; the bits go to DEMAND_FILE, lowest
// bit first, at most DEMAND_COUNT of them after the first DEMAND_SKIP. For programs of one thread.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern void* __libc_malloc(size_t);
extern void* __libc_calloc(size_t, size_t);
extern void* __libc_realloc(void*, size_t);
extern void __libc_free(void*);

static unsigned char bits[1 << 22];
static size_t count, skip, count_max = sizeof bits * 8, wanted;

__attribute__((constructor)) static void start(void) {
    const char* const size = getenv("DEMAND_SIZE");
    const char* const most = getenv("DEMAND_COUNT");
    const char* const first = getenv("DEMAND_SKIP");
    if (most && strtoul(most, NULL, 10) < count_max) count_max = strtoul(most, NULL, 10);
    skip = first ? strtoul(first, NULL, 10) : 0;
    wanted = size ? strtoul(size, NULL, 10) : 0;
}

__attribute__((destructor)) static void end(void) {
    const char* const file = getenv("DEMAND_FILE");
    if (!file || count == 0) return;
    const int out = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (out < 0 || write(out, bits, (count + 7) / 8) < 0) abort();
    close(out);
}

static void note(void* block, unsigned is_allocation) {
    if (!block || wanted == 0 || malloc_usable_size(block) != wanted) return;
    if (skip != 0) {
        --skip;
        return;
    }
    if (count >= count_max) return;
    bits[count / 8] = (unsigned char)(bits[count / 8] | is_allocation << count % 8);
    ++count;
}

void* malloc(size_t size) {
    void* const block = __libc_malloc(size);
    note(block, 1);
    return block;
}
void* calloc(size_t number, size_t size) {
    void* const block = __libc_calloc(number, size);
    note(block, 1);
    return block;
}
void* realloc(void* old, size_t size) {
    note(old, 0);
    void* const block = __libc_realloc(old, size);
    note(block, 1);
    return block;
}
void free(void* block) {
    note(block, 0);
    __libc_free(block);
}
