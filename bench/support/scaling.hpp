// scaling: whether two threads had two processors just now.
//
// A two-thread row means something only then. The probe times a plain compute loop in one thread, and the same in
// two at once; the ratio is 1.0 where the machine scales, 2.0 where the threads took turns. Call it where the
// other threads of the benchmark rest: after the loop, in thread 0.
//
//     for (auto _ : state) …;
//     allot::bench::note_scaling(state); // user counter `scaling`; run.py prints n/a above 1.1
#pragma once

#include <algorithm>
#include <atomic>
#include <benchmark/benchmark.h>
#include <chrono>
#include <cstdint>
#include <thread>

namespace allot::bench {

namespace detail {

// In seconds. Nothing but registers.
inline double compute_loop() {
    const auto begin = std::chrono::steady_clock::now();
    std::uint64_t value = 88172645463325252;
    for (int i = 0; i != 1'000'000; ++i) {
        value ^= value << 13; // Marsaglia's xorshift
        value ^= value >> 7;
        value ^= value << 17;
    }
    benchmark::DoNotOptimize(value);
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

} // namespace detail

// About 10 ms. The best of three of each: a disturbance of the probe alone says nothing about the row.
inline double scaling_probe() {
    double best_alone = 1e9;
    double best_both = 1e9;
    for (int round = 0; round != 3; ++round) {
        best_alone = std::min(best_alone, detail::compute_loop());
        double other = 0;
        std::atomic<bool> go = false;
        std::thread second([&] {
            go.wait(false);
            other = detail::compute_loop();
        });
        go = true;
        go.notify_one();
        const double mine = detail::compute_loop();
        second.join();
        best_both = std::min(best_both, std::max(mine, other));
    }
    return best_both / best_alone;
}

inline void note_scaling(benchmark::State& state) {
    if (state.threads() > 1 && state.thread_index() == 0) state.counters["scaling"] = scaling_probe();
}

} // namespace allot::bench
