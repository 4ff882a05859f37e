// What tracking costs on a pair of malloc and free: ours per thread, the three shared atomics that programs
// write themselves, and none. Unfair to `untracked`: all go through a virtual call, and it through one less.
#include <allot/governance/budget.hpp>
#include <allot/governance/tracked_source.hpp>
#include <allot/source/default_source.hpp>
#include <atomic>
#include <benchmark/benchmark.h>
#include <cstdint>

namespace {

using namespace allot;

class atomics_source final : public memory_source {
public:
    explicit atomics_source(memory_source& upstream) : upstream_(upstream) {}

private:
    void* do_try_allocate(layout wanted) noexcept override {
        void* const address = upstream_.try_allocate(wanted);
        const std::uint64_t now = live_.fetch_add(wanted.size) + wanted.size;
        count_.fetch_add(1);
        for (std::uint64_t known = peak_.load(); now > known && !peak_.compare_exchange_weak(known, now);) {
        }
        return address;
    }
    void do_give_back(void* address, layout given) noexcept override {
        live_.fetch_sub(given.size);
        upstream_.deallocate(address, given);
    }
    memory_source& upstream_;
    std::atomic<std::uint64_t> live_ = 0;
    std::atomic<std::uint64_t> count_ = 0;
    std::atomic<std::uint64_t> peak_ = 0;
};

void run_pairs(benchmark::State& state, memory_source& whose) {
    memory_source* known = &whose;
    benchmark::DoNotOptimize(known); // as callers meet it: a source of unknown type
    memory_source& source = *known;
    for (auto _ : state) {
        void* const address = source.try_allocate({.size = 64});
        benchmark::DoNotOptimize(address);
        source.deallocate(address, {.size = 64});
    }
}

// So that only the books are seen.
struct nothing_source final : memory_source {
    void* do_try_allocate(layout) noexcept override { return this; }
    void do_give_back(void*, layout) noexcept override {}
};

void allot_pairs(benchmark::State& state) {
    static ledger books;
    static tracked_source source({.books = &books, .whose = tags::node});
    run_pairs(state, source);
}
void atomics_pairs(benchmark::State& state) {
    static atomics_source source(default_source());
    run_pairs(state, source);
}
void untracked_pairs(benchmark::State& state) { run_pairs(state, default_source()); }

void allot_entries(benchmark::State& state) {
    static nothing_source nothing;
    static ledger books;
    static tracked_source source({.upstream = &nothing, .books = &books, .whose = tags::node});
    run_pairs(state, source);
}
void atomics_entries(benchmark::State& state) {
    static nothing_source nothing;
    static atomics_source source(nothing);
    run_pairs(state, source);
}
void untracked_entries(benchmark::State& state) {
    static nothing_source nothing;
    run_pairs(state, nothing);
}

BENCHMARK(allot_pairs)->Name("ledger/malloc pair 64/threads:1/allot");
BENCHMARK(atomics_pairs)->Name("ledger/malloc pair 64/threads:1/atomics");
BENCHMARK(untracked_pairs)->Name("ledger/malloc pair 64/threads:1/untracked");
BENCHMARK(allot_pairs)->Threads(2)->UseRealTime()->Name("ledger/malloc pair 64/threads:2/allot");
BENCHMARK(atomics_pairs)->Threads(2)->UseRealTime()->Name("ledger/malloc pair 64/threads:2/atomics");
BENCHMARK(untracked_pairs)->Threads(2)->UseRealTime()->Name("ledger/malloc pair 64/threads:2/untracked");
BENCHMARK(allot_entries)->Name("ledger/entry pair 64/threads:1/allot");
BENCHMARK(atomics_entries)->Name("ledger/entry pair 64/threads:1/atomics");
BENCHMARK(untracked_entries)->Name("ledger/entry pair 64/threads:1/untracked");
BENCHMARK(allot_entries)->Threads(2)->UseRealTime()->Name("ledger/entry pair 64/threads:2/allot");
BENCHMARK(atomics_entries)->Threads(2)->UseRealTime()->Name("ledger/entry pair 64/threads:2/atomics");
BENCHMARK(untracked_entries)->Threads(2)->UseRealTime()->Name("ledger/entry pair 64/threads:2/untracked");

void allot_charges(benchmark::State& state) {
    static budget limit({.limit_bytes = gibibytes(1)});
    for (auto _ : state) {
        benchmark::DoNotOptimize(limit.try_charge(64));
        limit.refund(64);
    }
}
void shared_charges(benchmark::State& state) {
    static std::atomic<std::uint64_t> charged = 0;
    for (auto _ : state) {
        std::uint64_t known = charged.load();
        while (known + 64 <= gibibytes(1) && !charged.compare_exchange_weak(known, known + 64)) {
        }
        benchmark::DoNotOptimize(known);
        charged.fetch_sub(64);
    }
}
BENCHMARK(allot_charges)->Name("budget/charge pair 64/threads:1/allot");
BENCHMARK(shared_charges)->Name("budget/charge pair 64/threads:1/shared atomic");
BENCHMARK(allot_charges)->Threads(2)->UseRealTime()->Name("budget/charge pair 64/threads:2/allot");
BENCHMARK(shared_charges)->Threads(2)->UseRealTime()->Name("budget/charge pair 64/threads:2/shared atomic");

} // namespace

BENCHMARK_MAIN();
