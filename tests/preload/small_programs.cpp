// Three programs of a few lines, by macro: what they are is decided by how they are linked.

#include <allot/core/client.h>

#include <cstdio>
#include <cstdlib>
#include <pthread.h>

#if defined(ALLOT_CLIENT)
// Exits with its mode after comparing the totals with what it did; 50: no recorder.
int main() {
    const allot_client_v1* client = allot_client_find();
    if (client == nullptr) return 50;
    const int mode = client->mode();
    allot_client_totals before{}, after{};
    before.size = after.size = sizeof before;
    if (mode == ALLOT_CLIENT_NOT_OBSERVED) return client->process_totals(&before) == -1 ? 0 : 60;
    if (client->process_totals(&before) != 0) return 61;
    for (int i = 0; i != 10; ++i) {
        void* block = malloc(40);
        asm volatile("" : "+r"(block) : : "memory");
        if (i % 2 != 0) free(block);
    }
    if (client->process_totals(&after) != 0) return 62;
    if (after.allocations - before.allocations != 10 || after.frees - before.frees != 5) return 63;
    if (after.allocated_bytes - before.allocated_bytes != 400) return 64;
    if (mode == ALLOT_CLIENT_COUNT && after.live_bytes - before.live_bytes != 5 * 40) return 65;
    pthread_t thread;
    const auto body = [](void*) -> void* {
        for (int i = 0; i != 1000; ++i) free(malloc(8));
        return nullptr;
    };
    if (pthread_create(&thread, nullptr, body, nullptr) != 0 || pthread_join(thread, nullptr) != 0) return 67;
    after.size = sizeof after;
    if (client->process_totals(&after) != 0 || after.frees - before.frees < 1005) return 68;
    after.size = 4;
    if (client->process_totals(&after) != -1) return 66;
    return mode;
}
#else
int main() {
    void* (*volatile address)(std::size_t) = malloc; // in a program at a fixed address: a stub of its own
    for (int i = 0; i != 10; ++i) free(address(20));
    return ALLOT_EXIT;
}
#endif

#if defined(ALLOT_OWN_MALLOC)
namespace {
alignas(16) char memory[1 << 20];
std::size_t used;
} // namespace
extern "C" void* malloc(std::size_t size) {
    used += (size + 15) & ~std::size_t{15};
    return used <= sizeof memory ? memory + used - ((size + 15) & ~std::size_t{15}) : nullptr;
}
extern "C" void free(void*) {}
#endif
