// Among ten modules: `open and close`: one more is opened, takes ten blocks of 16 to 600 bytes, and is closed with a
// report; `find`: a module by its name. An iteration is one of these.
// Unfair to malloc: it knows no modules, names, reports or lock; its row is what ten blocks alone cost.
#include <allot/structure/module_arenas.hpp>

#include <benchmark/benchmark.h>

#include <array>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

constexpr std::array<std::uint32_t, 10> sizes{24, 100, 40, 300, 16, 150, 32, 47, 600, 64};

// A thousand at a time, so that what the first one costs is no part of the count of instructions.
template <class Step>
void run(benchmark::State& state, Step step) {
    constexpr int batch = 1000;
    while (state.KeepRunningBatch(batch))
        for (int i = 0; i != batch; ++i) step();
}

struct ten_modules {
    ten_modules() {
        for (int i = 0; i != 10; ++i)
            benchmark::DoNotOptimize(
                modules.try_open({.name = std::string_view("module " + std::to_string(i))}));
    }
    allot::module_arenas modules;
};

void open_and_close(benchmark::State& state) {
    ten_modules with;
    run(state, [&] {
        allot::arena* const own = *with.modules.try_open({.name = "json"});
        for (const std::uint32_t size : sizes)
            *static_cast<volatile std::uint64_t*>(own->allocate(size, 8)) = size;
        benchmark::DoNotOptimize(with.modules.try_close("json"));
    });
}
void by_malloc(benchmark::State& state) {
    std::array<void*, 10> blocks;
    run(state, [&] {
        for (std::size_t i = 0; i != blocks.size(); ++i)
            *static_cast<volatile std::uint64_t*>(blocks[i] = std::malloc(sizes[i])) = i;
        for (void* each : blocks) std::free(each);
    });
}
void find(benchmark::State& state) {
    ten_modules with;
    run(state, [&] { benchmark::DoNotOptimize(with.modules.find("module 5")); });
}

} // namespace

int main(int argument_count, char** words) {
    const auto add = [](const char* name, void (*run)(benchmark::State&)) {
        benchmark::RegisterBenchmark((std::string("module_arenas/") + name).c_str(), run);
    };
    add("open and close/threads:1/allot", open_and_close);
    add("open and close/threads:1/malloc", by_malloc);
    add("find/threads:1/allot", find);
    benchmark::Initialize(&argument_count, words);
    benchmark::RunSpecifiedBenchmarks();
}
