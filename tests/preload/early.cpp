// A library that is preloaded behind ours: its constructor runs before the constructors of what was loaded
// earlier.

#include <cstdlib>

namespace {
[[gnu::constructor(101)]] void begin() {
    for (int i = 0; i != 100; ++i) {
        void* block = malloc(11);
        asm volatile("" : "+r"(block) : : "memory");
        free(block);
    }
}
} // namespace
