// What the collector spends on an event: from words in a ring to all rows, one thread, live table hot and
// cold.
#include <recorder/collector/collector.hpp>

#include <benchmark/benchmark.h>
#include <random>
#include <recorder/collector/testing/fake_process.hpp>
#include <recorder/collector/testing/scratch.hpp>

namespace {

using namespace allot::recorder;

// `blocks` live at once, freed and allocated in turn; the time of writing the ring is paused away in large
// steps.
void run(benchmark::State& state, std::uint64_t blocks, bool scattered) {
    testing::scratch files;
    auto made = collector::make({.path = files.path("x")});
    if (!made) return state.SkipWithError("no segment");
    collector& collect = **made;
    testing::fake_process process(files.path("x"), {.pid = static_cast<std::uint32_t>(::getpid())});
    testing::fake_thread thread(process, 1);
    std::vector<std::uint32_t> nodes;
    std::uint32_t parent = ALLOT_NODE_ROOT;
    for (std::uint64_t i = 0; i < 100; ++i) nodes.push_back(parent = process.node(0x1000 + i * 16, parent));
    std::vector<std::uint64_t> addresses(blocks);
    for (std::uint64_t i = 0; i < blocks; ++i) addresses[i] = 0x5555'0000'0000 + i * 64;
    if (scattered) std::shuffle(addresses.begin(), addresses.end(), std::mt19937_64(1));
    std::uint64_t next = 0;
    auto fill_ring = [&] { // 10,000 pairs are 30,000 of the 65,536 words
        for (int i = 0; i < 10'000; ++i, ++next) {
            if (next >= blocks) thread.free(addresses[next % blocks]);
            thread.allocate(addresses[next % blocks], 48, nodes[next % nodes.size()]);
        }
    };
    auto drain = [&] {
        while (process.ring(thread.ring()).tail != process.ring(thread.ring()).head) collect.poll();
    };
    while (next < blocks) fill_ring(), drain();
    for (auto _ : state) {
        state.PauseTiming();
        fill_ring();
        for (const std::uint64_t begun = wire_stamp(); wire_stamp() - begun < 1 << 14;) {
        } // all of it certain
        state.ResumeTiming();
        drain();
    }
    const double events = static_cast<double>(state.iterations()) * 20'000;
    state.counters["ns_per_event"] =
        benchmark::Counter(events / 1e9, benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

void hot(benchmark::State& state) { run(state, 1000, false); }
void cold(benchmark::State& state) { run(state, 4'000'000, true); }

BENCHMARK(hot)->Name("collector/hot/threads:1/none")->Unit(benchmark::kMicrosecond);
BENCHMARK(cold)->Name("collector/cold/threads:1/none")->Unit(benchmark::kMicrosecond);

} // namespace

BENCHMARK_MAIN();
