/* A C program whose allocations are known; story.cpp says what the marks mean. It loads the plug-ins named as
 * its arguments, calls each, and unloads it. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static void* volatile kept[64];
static int kept_count;

static void keep(void* block) { kept[kept_count++] = block; }

__attribute__((noinline)) void* xmalloc(size_t size) {
    void* block = malloc(size); /* frame 1001: xmalloc */
    if (block == NULL) abort();
    return block;
}

static __attribute__((noinline)) void read_record(void) {
    keep(xmalloc(1001)); /* site 1001: read_record; stack 1001: xmalloc < read_record < main */
}

static __attribute__((noinline)) void copy_name(void) {
    char name[1002];
    memset(name, 'x', sizeof name - 1);
    name[1001] = 0;
    keep(strdup(name)); /* site 1002: copy_name */
}

static inline __attribute__((always_inline)) void inlined(void) {
    keep(calloc(1003, 1)); /* site 1003: inlined */
}

static __attribute__((noinline)) void calls_inlined(void) {
    inlined(); /* frame 1003: calls_inlined */
    keep(NULL);
}

/* Called by generated code, which no file describes. */
static __attribute__((noinline)) void* called_by_generated_code(void) {
    void* block = malloc(1004); /* site 1004: called_by_generated_code */
    keep(block);
    return block;
}

static void run_generated_code(void) {
    /* push rbp; mov rbp, rsp; call rdi; pop rbp; ret */
    static const unsigned char code[] = {0x55, 0x48, 0x89, 0xe5, 0xff, 0xd7, 0x5d, 0xc3};
    unsigned char* page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) abort();
    memcpy(page, code, sizeof code);
    if (mprotect(page, 4096, PROT_READ | PROT_EXEC) != 0) abort();
    void (*run)(void* (*)(void));
    memcpy(&run, &page, sizeof run);
    run(called_by_generated_code);
}

static void load_and_call(const char* path) {
    void* library = dlopen(path, RTLD_NOW);
    if (library == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        exit(1);
    }
    void (*work)(void);
    *(void**)&work = dlsym(library, "plugin_work");
    work();
    dlclose(library);
}

int main(int count, char** arguments) {
    read_record(); /* frame 1001: main */
    copy_name();
    calls_inlined();
    run_generated_code();
    for (int i = 1; i < count; ++i) load_and_call(arguments[i]);
    return 0;
}
