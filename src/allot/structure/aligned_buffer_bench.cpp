// A block of 64 bytes on a cache line of its own: acquire, write 8 bytes, release. Ours is the way that allot has for
// it, a pool with slots of that alignment. Unfair to the peers: they serve any size and alignment.
#include <allot/structure/pool.hpp>

#include <benchmark/benchmark.h>

#include <cstdlib>
#include <support/loaded_malloc.hpp>

namespace {

void touch(void* block) { *static_cast<volatile std::uint64_t*>(block) = 1; }

void with_allot(benchmark::State& state) {
    allot::pool lines({.name = "lines", .slot = {.size = 64, .align = 64}});
    for (auto _ : state) {
        void* const line = lines.allocate();
        touch(line);
        benchmark::DoNotOptimize(line);
        lines.deallocate(line);
    }
}

void with_aligned_alloc(benchmark::State& state) {
    for (auto _ : state) {
        void* const line = std::aligned_alloc(64, 64);
        touch(line);
        benchmark::DoNotOptimize(line);
        std::free(line);
    }
}

void with_loaded(benchmark::State& state, allot::bench::loaded_malloc malloc) {
    for (auto _ : state) {
        void* const line = malloc.allocate_aligned(64, 64);
        touch(line);
        benchmark::DoNotOptimize(line);
        malloc.release(line);
    }
}

} // namespace

int main(int count, char** words) {
    const auto mimalloc = allot::bench::load_malloc("mimalloc");
    benchmark::RegisterBenchmark("aligned/64-byte pair/threads:1/allot", with_allot);
    benchmark::RegisterBenchmark("aligned/64-byte pair/threads:1/aligned_alloc", with_aligned_alloc);
    if (mimalloc)
        benchmark::RegisterBenchmark("aligned/64-byte pair/threads:1/mimalloc", with_loaded, *mimalloc);
    benchmark::Initialize(&count, words);
    benchmark::RunSpecifiedBenchmarks();
}
