// An operation that takes ten blocks of 16 to 600 bytes and ends; the first 8 bytes of each are written. `arena`: its
// context has an arena; `no arena`: all come from the main allocator, which here is malloc; `callee`: the operation
// is called by another one over the same arena.
// Unfair to std::pmr: nothing; its resource begins in 4 KiB on the stack. Unfair to malloc: its user must keep ten
// pointers, which costs it little here.
#include <allot/source/malloc_source.hpp>
#include <allot/structure/operation_context.hpp>

#include <benchmark/benchmark.h>

#include <array>
#include <cstdlib>
#include <memory_resource>
#include <string>

namespace {

constexpr std::array<std::uint32_t, 10> sizes{24, 100, 40, 300, 16, 150, 32, 47, 600, 64};

template <class Memory>
void take_ten(Memory& from) {
    for (const std::uint32_t size : sizes)
        *static_cast<volatile std::uint64_t*>(from.allocate(size, 8)) = size;
}

// A thousand at a time, so that what the first one costs is no part of the count of instructions.
template <class Operation>
void run(benchmark::State& state, Operation operation) {
    constexpr int batch = 1000;
    while (state.KeepRunningBatch(batch))
        for (int i = 0; i != batch; ++i) operation();
}

void with_arena(benchmark::State& state) {
    allot::arena frame;
    run(state, [&] {
        allot::operation_context operation({.from = &frame});
        take_ten(operation);
    });
}
void without_arena(benchmark::State& state) {
    allot::malloc_source main;
    run(state, [&] {
        allot::operation_context operation({.upstream = &main});
        take_ten(operation);
    });
}
void as_callee(benchmark::State& state) {
    allot::arena frame;
    allot::operation_context caller({.from = &frame});
    take_ten(caller);
    run(state, [&] {
        allot::operation_context operation({.name = "callee"}, caller);
        take_ten(operation);
    });
}
void pmr(benchmark::State& state) {
    run(state, [&] {
        std::array<std::byte, 4096> bytes;
        std::pmr::monotonic_buffer_resource memory(bytes.data(), bytes.size());
        take_ten(memory);
    });
}

struct by_malloc {
    void* blocks[10];
    int count = 0;
    void* allocate(std::size_t size, std::size_t) { return blocks[count++] = std::malloc(size); }
    ~by_malloc() {
        while (count != 0) std::free(blocks[--count]);
    }
};
void by_hand(benchmark::State& state) {
    run(state, [&] {
        by_malloc memory;
        take_ten(memory);
    });
}

} // namespace

int main(int argument_count, char** words) {
    const auto add = [](const char* workload, const char* peer, void (*run)(benchmark::State&)) {
        benchmark::RegisterBenchmark(
            (std::string("operation_context/") + workload + "/threads:1/" + peer).c_str(), run);
    };
    add("arena", "allot", with_arena);
    add("arena", "std::pmr", pmr);
    add("arena", "malloc", by_hand);
    add("callee", "allot", as_callee);
    add("callee", "std::pmr", pmr);
    add("no arena", "allot", without_arena);
    add("no arena", "malloc", by_hand);
    benchmark::Initialize(&argument_count, words);
    benchmark::RunSpecifiedBenchmarks();
}
