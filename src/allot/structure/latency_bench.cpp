// The slow ones among many calls: what 999 of 1,000 stay below. Each call is timed by itself with the processor's
// clock, whose own 20 ns or so are in every figure, so that ratios are closer to 1 than they would be without.
// A row's time is the p99.9 of 100,000 calls, the median of the repetitions; the machine's interrupts are in
// it for all.
// `allocation`: an arena's block of 16 to 767 bytes, a reset every 1,000. `acquire`: a slot of a pool with 10,000 live,
// one at random given back before. `request`: 100 blocks, and their end.
#include <allot/structure/arena.hpp>
#include <allot/structure/pool.hpp>

#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>
#include <x86intrin.h>

namespace {

constexpr std::size_t calls = 100'000;

double ns_per_tick() {
    static const double known = [] {
        const auto begin = std::chrono::steady_clock::now();
        const std::uint64_t first = __rdtsc();
        while (std::chrono::steady_clock::now() - begin < std::chrono::milliseconds(20)) continue;
        const std::uint64_t last = __rdtsc();
        const std::chrono::duration<double, std::nano> passed = std::chrono::steady_clock::now() - begin;
        return passed.count() / static_cast<double>(last - first);
    }();
    return known;
}

void touch(void* block) { *static_cast<volatile std::uint64_t*>(block) = 1; }

// Each iteration is as many calls; its time is their p99.9.
template <class Call, class Between>
void time_calls(benchmark::State& state, Call call, Between between) {
    std::vector<std::uint64_t> ticks(calls);
    for (auto _ : state) {
        for (std::size_t i = 0; i != calls; ++i) {
            unsigned core = 0;
            const std::uint64_t begin = __rdtscp(&core);
            call(i);
            ticks[i] = __rdtscp(&core) - begin;
            between(i);
        }
        const auto slow = ticks.begin() + calls / 1000 * 999;
        std::nth_element(ticks.begin(), slow, ticks.end());
        state.SetIterationTime(static_cast<double>(*slow) * ns_per_tick() * 1e-9);
    }
}

std::vector<std::size_t> request_sizes() {
    std::mt19937 random(7);
    std::vector<std::size_t> sizes(1000);
    for (std::size_t& size : sizes) {
        const auto kind = random() % 100;
        if (kind < 50)
            size = 16 + random() % 32;
        else if (kind < 88)
            size = 48 + random() % 128;
        else
            size = 256 + random() % 512;
    }
    return sizes;
}

struct with_allot {
    void* allocate(std::size_t size) { return blocks.allocate(size); }
    void end() { blocks.reset(); }
    void* acquire() { return slots.allocate(); }
    void release(void* slot) { slots.deallocate(slot); }
    allot::arena blocks;
    allot::pool slots{{.slot = {.size = 64, .align = 8}}};
};
struct with_malloc {
    with_malloc() { live.reserve(1000); }
    void* allocate(std::size_t size) { return live.emplace_back(std::malloc(size)); }
    void end() {
        for (void* each : live) std::free(each);
        live.clear();
    }
    void* acquire() { return std::malloc(64); }
    void release(void* slot) { std::free(slot); }
    std::vector<void*> live;
};

template <class With>
void allocation(benchmark::State& state) {
    With memory;
    const std::vector<std::size_t> sizes = request_sizes();
    time_calls(
        state, [&](std::size_t i) { touch(memory.allocate(sizes[i % sizes.size()])); },
        [&](std::size_t i) {
            if (i % 1000 == 999) memory.end();
        });
    memory.end();
}

template <class With>
void acquire(benchmark::State& state) {
    With memory;
    std::vector<void*> live(10'000);
    for (void*& each : live) touch(each = memory.acquire());
    std::mt19937 random(7);
    std::size_t at = 0;
    const auto release_one = [&](std::size_t) { memory.release(live[at = random() % live.size()]); };
    release_one(0);
    time_calls(state, [&](std::size_t) { touch(live[at] = memory.acquire()); }, release_one);
    live[at] = live.back();
    live.pop_back();
    for (void* each : live) memory.release(each);
}

template <class With>
void request(benchmark::State& state) {
    With memory;
    const std::vector<std::size_t> sizes = request_sizes();
    const auto serve = [&](std::size_t i) {
        for (std::size_t block = 0; block != 100; ++block)
            touch(memory.allocate(sizes[i % 10 * 100 + block]));
        memory.end();
    };
    time_calls(state, serve, [](std::size_t) {});
}

template <class With>
void add(const std::string& peer) {
    const auto name = [&](const char* workload) { return workload + ("/threads:1/" + peer); };
    const auto one = [&](const std::string& row, void (*run)(benchmark::State&)) {
        benchmark::RegisterBenchmark(row.c_str(), run)->UseManualTime()->Iterations(3);
    };
    one(name("arena/p99.9 of an allocation"), allocation<With>);
    one(name("pool/p99.9 of acquire"), acquire<With>);
    one(name("arena/p99.9 of a request of 100"), request<With>);
}

} // namespace

int main(int count, char** words) {
    add<with_allot>("allot");
    add<with_malloc>("malloc");
    benchmark::Initialize(&count, words);
    benchmark::RunSpecifiedBenchmarks();
}
