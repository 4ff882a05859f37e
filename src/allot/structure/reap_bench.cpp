// `pair 48`: a block given back and one of its size taken. `rewrite`: 1,000 live blocks of 16 to 300 bytes, of which a
// random one is given back and one of another size taken; the first 8 bytes of each are written.
// Unfair to malloc: it serves blocks that nothing frees together. Unfair to std::pmr: nothing.
#include <allot/structure/reap.hpp>

#include <benchmark/benchmark.h>

#include <array>
#include <cstdlib>
#include <memory_resource>
#include <string>
#include <vector>

namespace {

constexpr std::array<std::uint32_t, 8> sizes{24, 100, 40, 300, 16, 150, 32, 48};
constexpr std::size_t live_count = 1000;

struct with_allot {
    void* allocate(std::size_t size) { return memory.allocate(size, 8); }
    void deallocate(void* block, std::size_t size) { memory.deallocate(block, size, 8); }
    allot::reap memory;
};
struct with_pmr {
    void* allocate(std::size_t size) { return memory.allocate(size, 8); }
    void deallocate(void* block, std::size_t size) { memory.deallocate(block, size, 8); }
    std::pmr::unsynchronized_pool_resource memory;
};
struct with_malloc {
    void* allocate(std::size_t size) { return std::malloc(size); }
    void deallocate(void* block, std::size_t) { std::free(block); }
};

template <class With>
void pair(benchmark::State& state) {
    With with;
    void* block = with.allocate(48);
    for (auto _ : state) {
        with.deallocate(block, 48);
        benchmark::DoNotOptimize(block = with.allocate(48));
    }
    with.deallocate(block, 48);
}

template <class With>
void rewrite(benchmark::State& state) {
    struct written {
        void* block;
        std::size_t size;
    };
    With with;
    std::vector<written> all;
    for (std::size_t i = 0; i != live_count; ++i) all.push_back({with.allocate(sizes[i % 8]), sizes[i % 8]});
    std::uint64_t random = 88172645463325252;
    for (auto _ : state) {
        random ^= random << 13; // Marsaglia's xorshift
        random ^= random >> 7;
        random ^= random << 17;
        written& each = all[static_cast<std::size_t>((random >> 32) * live_count >> 32)];
        with.deallocate(each.block, each.size);
        each.size = sizes[random % 8];
        each.block = with.allocate(each.size);
        *static_cast<volatile std::uint64_t*>(each.block) = random;
    }
    for (const written& each : all) with.deallocate(each.block, each.size);
}

template <class With>
void add(const std::string& peer) {
    benchmark::RegisterBenchmark(("reap/pair 48/threads:1/" + peer).c_str(), pair<With>);
    benchmark::RegisterBenchmark(("reap/rewrite/threads:1/" + peer).c_str(), rewrite<With>);
}

} // namespace

int main(int argument_count, char** words) {
    add<with_allot>("allot");
    add<with_pmr>("std::pmr pool");
    add<with_malloc>("malloc");
    benchmark::Initialize(&argument_count, words);
    benchmark::RunSpecifiedBenchmarks();
}
