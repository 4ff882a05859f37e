// What deciding costs: a block that a placement puts into the call's buffer, against the buffer asked directly and
// against malloc.
#include <allot/governance/placement.hpp>

#include <allot/source/buffer_source.hpp>
#include <allot/source/malloc_source.hpp>
#include <array>
#include <benchmark/benchmark.h>

namespace {

using namespace allot;

std::array<std::byte, 4096> bytes;

void run_pairs(benchmark::State& state, memory_source& whose) {
    memory_source* known = &whose;
    benchmark::DoNotOptimize(known); // as containers meet it: a source of unknown type
    for (auto _ : state) {
        void* const address = known->try_allocate({.size = 100});
        benchmark::DoNotOptimize(address);
        known->deallocate(address, {.size = 100});
    }
}

void placed_pairs(benchmark::State& state) {
    placement place({.inline_buffer = bytes});
    placed_source source(place, {.lives = lifetime::call});
    run_pairs(state, source);
}
void buffer_pairs(benchmark::State& state) {
    buffer_source source(bytes);
    run_pairs(state, source);
}
void malloc_pairs(benchmark::State& state) {
    malloc_source source;
    run_pairs(state, source);
}

BENCHMARK(placed_pairs)->Name("placement/call pair 100/threads:1/allot");
BENCHMARK(buffer_pairs)->Name("placement/call pair 100/threads:1/buffer_source");
BENCHMARK(malloc_pairs)->Name("placement/call pair 100/threads:1/malloc");

} // namespace

BENCHMARK_MAIN();
