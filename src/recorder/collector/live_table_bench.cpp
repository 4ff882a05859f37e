// The shadow index against the hash table one would use instead: insert, find, erase of one block.
#include <recorder/collector/live_table.hpp>

#include <algorithm>
#include <benchmark/benchmark.h>
#include <random>
#include <unordered_map>

namespace {

using namespace allot::recorder;

std::vector<std::uint64_t> addresses(std::uint64_t count) {
    std::vector<std::uint64_t> all(count);
    for (std::uint64_t i = 0; i < count; ++i) all[i] = 0x5555'0000'0000 + i * 64;
    std::shuffle(all.begin(), all.end(), std::mt19937_64(1));
    return all;
}

void ours(benchmark::State& state) {
    const auto all = addresses(static_cast<std::uint64_t>(state.range(0)));
    live_table table;
    for (std::uint64_t address : all) table.fill(table.reserve(address), {48, 1, 1});
    std::size_t next = 0;
    for (auto _ : state) {
        const std::uint64_t address = all[next];
        if (++next == all.size()) next = 0;
        const auto at = table.find(address);
        benchmark::DoNotOptimize(at.block().size);
        table.erase(at);
        table.fill(table.reserve(address), {48, 1, 1});
    }
}

void hash_map(benchmark::State& state) {
    const auto all = addresses(static_cast<std::uint64_t>(state.range(0)));
    std::unordered_map<std::uint64_t, live_block> table;
    for (std::uint64_t address : all) table.emplace(address, live_block{48, 1, 1});
    std::size_t next = 0;
    for (auto _ : state) {
        const std::uint64_t address = all[next];
        if (++next == all.size()) next = 0;
        const auto at = table.find(address);
        benchmark::DoNotOptimize(at->second.size);
        table.erase(at);
        table.emplace(address, live_block{48, 1, 1});
    }
}

BENCHMARK(ours)->Name("live_table/hot/threads:1/ours")->Arg(1000);
BENCHMARK(hash_map)->Name("live_table/hot/threads:1/std::unordered_map")->Arg(1000);
BENCHMARK(ours)->Name("live_table/cold/threads:1/ours")->Arg(2'000'000);
BENCHMARK(hash_map)->Name("live_table/cold/threads:1/std::unordered_map")->Arg(2'000'000);

} // namespace

BENCHMARK_MAIN();
