// What allot.h's calls cost, beside malloc's. Unfair to malloc: the arena gives nothing back. Unfair to the heap: it
// counts by tag, and looks whether a block is its own.
#include <allot/allot.h>

#include <benchmark/benchmark.h>
#include <cstdint>
#include <cstdlib>

namespace {

void arena_allocations(benchmark::State& state) {
    allot_arena_options options = {};
    options.chunk_bytes_min = 1 << 20;
    allot_arena* arena = nullptr;
    if (allot_arena_create(&options, &arena) != ALLOT_OK) return state.SkipWithError("no arena");
    benchmark::DoNotOptimize(allot_arena_alloc(arena, 64)); // its first chunk
    std::uint64_t count = 0;
    for (auto _ : state) {
        benchmark::DoNotOptimize(allot_arena_alloc(arena, 64));
        if (++count % 10'000 == 0) allot_arena_reset(arena);
    }
    allot_arena_destroy(arena);
}
void pool_pairs(benchmark::State& state) {
    allot_pool_options options = {};
    options.slot_size = 64;
    allot_pool* pool = nullptr;
    if (allot_pool_create(&options, &pool) != ALLOT_OK) return state.SkipWithError("no pool");
    allot_pool_free(pool, allot_pool_alloc(pool)); // its first slab is not the pair's
    for (auto _ : state) {
        void* const slot = allot_pool_alloc(pool);
        benchmark::DoNotOptimize(slot);
        allot_pool_free(pool, slot);
    }
    allot_pool_destroy(pool);
}
void heap_pairs(benchmark::State& state) {
    allot_heap* heap = nullptr;
    if (allot_heap_create(nullptr, &heap) != ALLOT_OK) return state.SkipWithError("no heap");
    for (auto _ : state) {
        void* const block = allot_heap_alloc(heap, ALLOT_TAG_NODE, 64);
        benchmark::DoNotOptimize(block);
        allot_heap_free(heap, block);
    }
    if (allot_heap_destroy(heap) != ALLOT_OK) state.SkipWithError("blocks are out");
}
void scratches(benchmark::State& state) {
    {
        ALLOT_SCRATCH(first); // makes this thread's arenas
        if (allot_scratch_open(&first, nullptr) != ALLOT_OK) return state.SkipWithError("no scratch");
        benchmark::DoNotOptimize(allot_scratch_alloc(&first, 64));
    }
    for (auto _ : state) {
        ALLOT_SCRATCH(work);
        if (allot_scratch_open(&work, nullptr) != ALLOT_OK) return state.SkipWithError("no scratch");
        benchmark::DoNotOptimize(allot_scratch_alloc(&work, 64));
    }
}
void malloc_pairs(benchmark::State& state) {
    for (auto _ : state) {
        void* block = std::malloc(64);
        benchmark::DoNotOptimize(block);
        std::free(block);
    }
}

BENCHMARK(arena_allocations)->Name("c/arena 64/threads:1/allot");
BENCHMARK(malloc_pairs)->Name("c/arena 64/threads:1/malloc");
BENCHMARK(pool_pairs)->Name("c/pool pair 64/threads:1/allot");
BENCHMARK(malloc_pairs)->Name("c/pool pair 64/threads:1/malloc");
BENCHMARK(heap_pairs)->Name("c/heap pair 64/threads:1/allot");
BENCHMARK(malloc_pairs)->Name("c/heap pair 64/threads:1/malloc");
BENCHMARK(scratches)->Name("c/scratch 64/threads:1/allot");
BENCHMARK(malloc_pairs)->Name("c/scratch 64/threads:1/malloc");

} // namespace

BENCHMARK_MAIN();
