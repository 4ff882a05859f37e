// dead_bytes NAME [--live]: reads one byte of what the structure NAME gave and got back; with --live the same byte
// while it lives. AddressSanitizer, or Valgrind at level full, must report the first and not the second.
// dead_bytes alone prints the names.
#include <allot/allot.hpp>

#include <array>
#include <cstdio>
#include <cstring>
#include <optional>
#include <string_view>

namespace {

using namespace allot;

bool live = false;

void look_at(const void* place) {
    [[maybe_unused]] static volatile unsigned char seen;
    seen = *static_cast<const volatile unsigned char*>(place);
}

// A block in its middle: the first bytes of a dead one may hold a list.
void through(memory_source& source, std::size_t size = 256) {
    void* const kept = source.allocate(size, 16); // so that nothing goes upstream
    void* const block = source.allocate(size, 16);
    std::memset(block, 1, size);
    const std::byte* const place = static_cast<std::byte*>(block) + size / 2;
    if (live) look_at(place);
    source.deallocate(block, size, 16);
    if (!live) look_at(place);
    source.deallocate(kept, size, 16);
}

constexpr layout slot{.size = 256, .align = 16};

struct trial {
    std::string_view name;
    void (*run)();
};

const trial trials[] = {
    {"arena",
     [] {
         arena it;
         through(it);
     }},
    {"arena_reset",
     [] {
         arena it;
         auto* const block = static_cast<char*>(it.allocate(256, 16));
         std::memset(block, 1, 256);
         if (live) look_at(block);
         it.reset();
         if (!live) look_at(block);
     }},
    {"arena_rest",
     [] {
         arena it;
         auto* const block = static_cast<char*>(it.allocate(256, 16));
         std::memset(block, 1, 256);
         look_at(live ? block : block + 300); // of the chunk, not yet handed out
     }},
    {"concurrent_arena",
     [] {
         concurrent_arena it;
         auto* const block = static_cast<char*>(it.allocate(256, 16));
         std::memset(block, 1, 256);
         if (live) look_at(block);
         it.reset();
         if (!live) look_at(block);
     }},
    {"scratch",
     [] {
         const char* block = nullptr;
         {
             scratch work;
             block = static_cast<char*>(std::memset(work.allocate(256), 1, 256));
             if (live) look_at(block);
         }
         if (!live) look_at(block);
     }},
    {"operation_context",
     [] {
         arena frame;
         operation_context it({.from = &frame});
         auto* const block = static_cast<char*>(it.allocate(256, 16));
         std::memset(block, 1, 256);
         if (live) look_at(block);
         it.reset();
         if (!live) look_at(block);
     }},
    {"arena_pool",
     [] {
         arena_pool arenas;
         const char* block = nullptr;
         {
             auto one = arenas.acquire();
             block = static_cast<char*>(std::memset(one->allocate(256), 1, 256));
             if (live) look_at(block);
         }
         if (!live) look_at(block);
     }},
    {"reap",
     [] {
         reap it;
         through(it);
     }},
    {"pool",
     [] {
         pool it({.slot = slot});
         through(it);
     }},
    {"concurrent_pool",
     [] {
         concurrent_pool it({.slot = slot});
         through(it);
     }},
    {"concurrent_bounded_pool",
     [] {
         concurrent_bounded_pool it({.slot = slot, .slot_count = 4});
         through(it);
     }},
    {"object_pool",
     [] {
         object_pool<std::array<char, 256>> it({.name = "objects"});
         const char* object = nullptr;
         {
             auto kept = it.acquire();
             auto one = it.acquire();
             one->fill(1);
             object = one->data();
             if (live) look_at(object + 128);
         }
         it.trim();
         if (!live) look_at(object + 128);
     }},
    {"buffer_pool",
     [] {
         buffer_pool it({});
         through(it, 4096);
     }},
    {"concurrent_buffer_pool",
     [] {
         concurrent_buffer_pool it({});
         through(it, 4096);
     }},
    {"buffer",
     [] {
         buffer it(default_source());
         it.append("text");
         it.reserve(100);
         look_at(it.data() + (live ? 0 : 40));
     }},
    {"aligned_buffer",
     [] {
         aligned_buffer<float> it;
         it.push_back(1);
         it.reserve(100);
         look_at(it.data() + (live ? 0 : 40));
     }},
    {"slot_map",
     [] {
         slot_map<std::array<char, 64>> it;
         const auto kept = it.emplace();
         const auto one = it.emplace();
         it.at(one).fill(1);
         const char* const place = it.at(one).data() + 32;
         if (live) look_at(place);
         it.erase(one);
         if (!live) look_at(place);
         it.erase(kept);
     }},
    {"soa",
     [] {
         soa<field<"x", float>, field<"y", double>> it({.name = "rows"});
         it.push_back(1.0F, 2.0);
         it.reserve(100);
         look_at(it.column<"y">().data() + (live ? 0 : 40));
     }},
    {"chunk_cache_source",
     [] {
         malloc_source heap;
         chunk_cache_source it(heap);
         through(it, 4096);
     }},
};

} // namespace

int main(int count, char** words) {
    if (count == 1) {
        for (const trial& each : trials)
            std::printf("%.*s\n", static_cast<int>(each.name.size()), each.name.data());
        return 0;
    }
    live = count > 2 && std::string_view(words[2]) == "--live";
    for (const trial& each : trials)
        if (each.name == words[1]) {
            each.run();
            return 0;
        }
    return 2;
}
