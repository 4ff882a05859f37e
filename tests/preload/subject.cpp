// The program that the tests observe: subject SCENARIO [ARGUMENT…]. Each scenario does what its test then
// counts. It is built without sanitizers and without optimisation of allocations, and says nothing unless
// asked.

#include "subject.hpp"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

namespace subject {
namespace {

// The compiler may remove a pair of malloc and free that it sees.
template <class T>
T* kept(T* block) {
    asm volatile("" : "+r"(block) : : "memory");
    return block;
}

std::size_t hidden(std::size_t value) {
    asm volatile("" : "+r"(value));
    return value;
}

int nothing(char**) { return 0; }

int malloc_free(char**) {
    for (std::size_t i = 0; i != 1000; ++i) free(kept(malloc(i)));
    free(nullptr);
    return 0;
}

int left_behind(char**) {
    for (std::size_t i = 0; i != 10; ++i) memset(kept(malloc(1000)), 1, 1000);
    return 0;
}

int calloc_free(char**) {
    auto* block = static_cast<char*>(kept(calloc(10, 7)));
    for (int i = 0; i != 70; ++i)
        if (block[i] != 0) return 1;
    free(block);
    return kept(calloc(hidden(SIZE_MAX / 2), 3)) == nullptr && errno == ENOMEM ? 0 : 2;
}

int realloc_all_ways(char**) {
    void* block = kept(realloc(nullptr, 100)); // an allocation
    block = kept(realloc(block, 200));
    block = kept(realloc(block, 50));
    if (kept(realloc(block, hidden(SIZE_MAX / 2))) != nullptr) return 1; // counts nothing
    block = kept(reallocarray(block, 10, 30));
    void* same = kept(block); // the compiler warns of a use after a free that does not happen
    if (kept(reallocarray(block, hidden(SIZE_MAX / 2), 30)) != nullptr || errno != ENOMEM) return 2;
    errno = 0;
    if (kept(realloc(same, 0)) != nullptr) return 3; // frees
    return errno == 0 ? 0 : 4;
}

int aligned(char**) {
    void* block = nullptr;
    if (posix_memalign(&block, 64, 100) != 0 || reinterpret_cast<std::uintptr_t>(block) % 64 != 0) return 1;
    free(kept(block));
    block = kept(aligned_alloc(128, 256));
    if (reinterpret_cast<std::uintptr_t>(block) % 128 != 0) return 2;
    free(block);
    free(kept(memalign(4096, 10)));
    free(kept(valloc(20)));
    free(kept(pvalloc(30)));
    void* untouched = &block;
    if (posix_memalign(&untouched, 3, 100) != EINVAL || untouched != &block) return 3;
    if (kept(aligned_alloc(64, hidden(SIZE_MAX - 100))) != nullptr) return 4;
    return 0;
}

int usable(char**) {
    void* block = kept(malloc(100));
    if (malloc_usable_size(block) < 100 || malloc_usable_size(nullptr) != 0) return 1;
    free(block);
    return 0;
}

int cxx(char**) {
    delete kept(new int);
    delete[] kept(new char[100]);
    struct alignas(256) wide {
        char bytes[256];
    };
    delete kept(new wide);
    ::operator delete(kept(::operator new(40)), std::size_t{40});
    return 0;
}

int shortage(char**) {
    errno = 0;
    if (kept(malloc(hidden(SIZE_MAX / 2))) != nullptr || errno != ENOMEM) return 1;
    errno = 12345;
    free(kept(malloc(10)));
    return errno == 12345 ? 0 : 2;
}

// Grows to 64 MB, shrinks, grows to half: the peak is known to the byte.
int peak(char** arguments) {
    static void* blocks[4096];
    const std::size_t count = static_cast<std::size_t>(atoi(arguments[0]));
    std::size_t live = 0;
    for (std::size_t i = 0; i != count; ++i) {
        blocks[i] = kept(malloc(100 + i * 7));
        live += malloc_usable_size(blocks[i]);
    }
    for (std::size_t i = 0; i != count; ++i) free(blocks[i]);
    for (std::size_t i = 0; i != count / 2; ++i) blocks[i] = kept(malloc(100 + i * 7));
    char text[64];
    return write(1, text, static_cast<std::size_t>(snprintf(text, sizeof text, "%zu\n", live))) > 0 ? 0 : 1;
}

int exit_3(char**) { exit(3); }
int quick_exit_4(char**) { _exit(4); }
int exit_capital_5(char**) { _Exit(5); }

const scenario basics[] = {
    {"nothing", nothing},          {"malloc", malloc_free}, {"left", left_behind}, {"calloc", calloc_free},
    {"realloc", realloc_all_ways}, {"aligned", aligned},    {"usable", usable},    {"cxx", cxx},
    {"shortage", shortage},        {"peak", peak},          {"exit", exit_3},      {"_exit", quick_exit_4},
    {"_Exit", exit_capital_5},
};

} // namespace
} // namespace subject

int main(int count, char** arguments) {
    using namespace subject;
    if (count < 2) return 99;
    for (const scenario& s : basics)
        if (strcmp(s.name, arguments[1]) == 0) return s.act(arguments + 2);
    for (std::size_t i = 0; i != process_scenario_count; ++i)
        if (strcmp(process_scenarios[i].name, arguments[1]) == 0)
            return process_scenarios[i].act(arguments + 2);
    return 98;
}
