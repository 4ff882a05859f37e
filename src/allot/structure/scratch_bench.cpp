// An operation that calls another: each takes ten blocks for itself (16 to 767 bytes, as a request's), the inner one
// answers a text of 64 bytes in the outer one's memory. An iteration is both, 21 blocks; the first 8 bytes of each are
// written. `again`: an operation of ten blocks alone.
// Unfair to std::pmr: nothing; its resource begins in 4 KiB on the stack, as its users have it, and each operation has
// one of its own. Unfair to malloc: it serves blocks that could outlive the operation.
#include <allot/structure/scratch.hpp>

#include <array>
#include <benchmark/benchmark.h>
#include <cstdlib>
#include <cstring>
#include <memory_resource>
#include <string>

namespace {

constexpr std::array<std::uint32_t, 10> sizes{24, 100, 40, 300, 16, 150, 32, 47, 600, 64};

template <class Memory>
void take_ten(Memory& from) {
    for (const std::uint32_t size : sizes)
        *static_cast<volatile std::uint64_t*>(from.allocate(size, 8)) = size;
}

// ---- ours

[[gnu::noinline]] char* inner(allot::scratch& out) {
    auto work = allot::scratch::beside(out);
    take_ten(work);
    return static_cast<char*>(std::memset(out.allocate(64, 1), 'x', 64));
}
[[gnu::noinline]] void alone() {
    allot::scratch work;
    take_ten(work);
}
[[gnu::noinline]] void outer() {
    allot::scratch work;
    take_ten(work);
    benchmark::DoNotOptimize(inner(work));
}

// ---- std::pmr

struct on_stack {
    std::array<std::byte, 4096> bytes;
    std::pmr::monotonic_buffer_resource memory{bytes.data(), bytes.size()};
};
[[gnu::noinline]] char* inner_pmr(std::pmr::memory_resource& out) {
    on_stack work;
    take_ten(work.memory);
    return static_cast<char*>(std::memset(out.allocate(64, 1), 'x', 64));
}
[[gnu::noinline]] void alone_pmr() {
    on_stack work;
    take_ten(work.memory);
}
[[gnu::noinline]] void outer_pmr() {
    on_stack work;
    take_ten(work.memory);
    benchmark::DoNotOptimize(inner_pmr(work.memory));
}

// ---- malloc

struct by_malloc {
    void* blocks[16];
    int count = 0;
    void* allocate(std::size_t size, std::size_t) { return blocks[count++] = std::malloc(size); }
    ~by_malloc() {
        while (count != 0) std::free(blocks[--count]);
    }
};
[[gnu::noinline]] char* inner_malloc(by_malloc& out) {
    by_malloc work;
    take_ten(work);
    return static_cast<char*>(std::memset(out.allocate(64, 1), 'x', 64));
}
[[gnu::noinline]] void alone_malloc() {
    by_malloc work;
    take_ten(work);
}
[[gnu::noinline]] void outer_malloc() {
    by_malloc work;
    take_ten(work);
    benchmark::DoNotOptimize(inner_malloc(work));
}

template <void (*Operation)()>
void run(benchmark::State& state) {
    for (int i = 0; i < 10; ++i) Operation();
    for (auto _ : state) Operation();
}

} // namespace

int main(int argc, char** argv) {
    const auto add = [](const char* workload, const char* peer, void (*run)(benchmark::State&)) {
        const std::string name = std::string("scratch/") + workload + "/threads:1/" + peer;
        benchmark::RegisterBenchmark(name.c_str(), run);
    };
    add("nested", "allot", run<outer>);
    add("nested", "std::pmr", run<outer_pmr>);
    add("nested", "malloc", run<outer_malloc>);
    add("again", "allot", run<alone>);
    add("again", "std::pmr", run<alone_pmr>);
    add("again", "malloc", run<alone_malloc>);
    benchmark::Initialize(&argc, argv);
    benchmark::RunSpecifiedBenchmarks();
}
