// A request on any thread: an arena is acquired, serves 100 blocks (16 to 767 bytes), and comes back. An iteration is
// one request; the first 8 bytes of each block are written.
// Unfair to std::pmr: it has no pool of arenas; each request makes a resource, which asks malloc for its chunks, as
// its users do. Unfair to malloc: it serves blocks that could be freed one by one.
#include <allot/structure/arena_pool.hpp>

#include <benchmark/benchmark.h>
#include <cstdlib>
#include <memory>
#include <memory_resource>
#include <random>
#include <string>
#include <support/scaling.hpp>
#include <vector>

namespace {

constexpr std::size_t count = 100;

const std::vector<std::uint32_t>& sizes() {
    static const std::vector<std::uint32_t> made = [] {
        std::vector<std::uint32_t> all(count);
        std::mt19937 random(1);
        for (std::uint32_t& size : all) {
            const auto kind = random() % 100;
            size = static_cast<std::uint32_t>(kind < 50   ? 16 + random() % 32
                                              : kind < 88 ? 48 + random() % 128
                                                          : 256 + random() % 512);
        }
        return all;
    }();
    return made;
}

template <class Take>
void request(Take take) {
    for (const std::uint32_t size : sizes()) *static_cast<volatile std::uint64_t*>(take(size)) = size;
}

allot::arena_pool& pool() {
    static allot::arena_pool all({.name = "request"});
    return all;
}

void ours(benchmark::State& state) {
    for (auto _ : state) {
        allot::pooled<allot::arena> from = pool().acquire();
        request([&from](std::size_t size) { return from->allocate(size, 8); });
    }
    allot::bench::note_scaling(state);
}

void by_pmr(benchmark::State& state) {
    for (auto _ : state) {
        std::pmr::monotonic_buffer_resource from(16384);
        request([&from](std::size_t size) { return from.allocate(size, 8); });
    }
    allot::bench::note_scaling(state);
}

void by_malloc(benchmark::State& state) {
    std::vector<void*> blocks;
    blocks.reserve(count);
    for (auto _ : state) {
        request([&blocks](std::size_t size) { return blocks.emplace_back(std::malloc(size)); });
        for (void* const block : blocks) std::free(block);
        blocks.clear();
    }
    allot::bench::note_scaling(state);
}

void pair(benchmark::State& state) {
    for (auto _ : state) benchmark::DoNotOptimize(pool().acquire().get());
}

} // namespace

int main(int argc, char** argv) {
    for (int threads = 1; threads <= 2; ++threads) {
        const auto add = [threads](const char* peer, void (*run)(benchmark::State&)) {
            const std::string name = "arena_pool/request100/threads:" + std::to_string(threads) + "/" + peer;
            benchmark::RegisterBenchmark(name.c_str(), run)->Threads(threads)->UseRealTime();
        };
        add("allot", ours);
        add("std::pmr", by_pmr);
        add("malloc", by_malloc);
    }
    benchmark::RegisterBenchmark("arena_pool/pair/threads:1/allot", pair);
    benchmark::Initialize(&argc, argv);
    benchmark::RunSpecifiedBenchmarks();
}
