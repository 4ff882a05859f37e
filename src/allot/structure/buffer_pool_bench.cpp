// Buffers that come and go: acquire, write 8 bytes, release; and touching the first line of many.
// Ours counts, keeps tiers and bounds; at check level on it also looks for misuse. Unfair to the peers: malloc serves
// any size. jemalloc and mimalloc give large blocks back to the system now and then, which is what they are for.
// `pair` is the pool as a memory_source, `handle` the same through `buffer`, which empties and returns itself.
#include <allot/structure/buffer_pool.hpp>
#include <allot/structure/concurrent_buffer_pool.hpp>

#include <benchmark/benchmark.h>

#include <cstdlib>
#include <string>
#include <support/loaded_malloc.hpp>
#include <support/scaling.hpp>
#include <vector>

namespace {

void touch(void* buffer) { *static_cast<volatile std::uint64_t*>(buffer) = 1; }

template <class Pool>
struct with_pool {
    static inline Pool pool{{.name = "bench"}};
    static void* acquire(std::size_t size) { return pool.try_allocate(allot::layout{size, 16}); }
    static void release(void* buffer, std::size_t size) { pool.deallocate(buffer, allot::layout{size, 16}); }
};
struct with_malloc {
    static void* acquire(std::size_t size) { return std::malloc(size); }
    static void release(void* buffer, std::size_t) { std::free(buffer); }
};

template <class With>
void pair(benchmark::State& state, std::size_t size) {
    With::release(With::acquire(size), size);
    for (auto _ : state) {
        void* const buffer = With::acquire(size);
        touch(buffer);
        benchmark::DoNotOptimize(buffer);
        With::release(buffer, size);
    }
    if (state.threads() > 1) allot::bench::note_scaling(state);
}

void loaded_pair(benchmark::State& state, std::size_t size, allot::bench::loaded_malloc with) {
    for (auto _ : state) {
        void* const buffer = with.allocate(size);
        touch(buffer);
        benchmark::DoNotOptimize(buffer);
        with.release(buffer);
    }
    if (state.threads() > 1) allot::bench::note_scaling(state);
}

template <class Pool>
void handle(benchmark::State& state, std::size_t size) {
    Pool& pool = with_pool<Pool>::pool;
    for (auto _ : state) {
        allot::buffer one = pool.try_acquire({.bytes = size});
        touch(one.data());
        benchmark::DoNotOptimize(one.data());
    }
}

// The first words of so many buffers, one after the other: more than fit into one set of the second cache.
constexpr std::size_t header_count = 400;

void touch_headers(benchmark::State& state, const std::vector<void*>& buffers) {
    for (auto _ : state)
        for (void* each : buffers) touch(each);
}

void coloured_headers(benchmark::State& state) {
    constexpr allot::buffer_tier tiers[] = {{.size = allot::kibibytes(4)}};
    allot::buffer_pool pool({.name = "bench", .tiers = tiers});
    std::vector<void*> buffers(header_count);
    for (void*& each : buffers) each = pool.try_allocate(allot::layout{allot::kibibytes(4), 16});
    touch_headers(state, buffers);
    for (void* each : buffers) pool.deallocate(each, allot::layout{allot::kibibytes(4), 16});
}

void page_aligned_headers(benchmark::State& state) {
    std::vector<void*> buffers(header_count);
    for (void*& each : buffers) each = std::aligned_alloc(allot::kibibytes(4), allot::kibibytes(4));
    touch_headers(state, buffers);
    for (void* each : buffers) std::free(each);
}

constexpr struct {
    const char* name;
    std::size_t size;
} sizes[] = {
    {"4 KiB", allot::kibibytes(4)}, {"64 KiB", allot::kibibytes(64)}, {"1 MiB", allot::mebibytes(1)}};

template <class Function, class... More>
void add(const std::string& component, const std::string& workload, const std::string& peer, int threads,
         Function run, More... more) {
    const std::string name = component + "/" + workload + "/threads:" + std::to_string(threads) + "/" + peer;
    benchmark::RegisterBenchmark(name.c_str(), run, more...)->Threads(threads);
}

} // namespace

int main(int count, char** words) {
    const char* const mallocs[] = {"tcmalloc", "mimalloc", "jemalloc"};
    std::optional<allot::bench::loaded_malloc> loaded[3];
    for (int i = 0; i != 3; ++i) loaded[i] = allot::bench::load_malloc(mallocs[i]);
    for (const auto& [name, size] : sizes) {
        add("buffer_pool", name, "allot", 1, pair<with_pool<allot::buffer_pool>>, size);
        add("buffer_pool", std::string(name) + " handle", "allot", 1, handle<allot::buffer_pool>, size);
        add("concurrent_buffer_pool", std::string(name) + " handle", "allot", 1,
            handle<allot::concurrent_buffer_pool>, size);
        add("buffer_pool", name, "malloc", 1, pair<with_malloc>, size);
        for (const int threads : {1, 2}) {
            add("concurrent_buffer_pool", name, "allot", threads,
                pair<with_pool<allot::concurrent_buffer_pool>>, size);
            add("concurrent_buffer_pool", name, "malloc", threads, pair<with_malloc>, size);
        }
        for (int i = 0; i != 3; ++i) {
            if (!loaded[i]) continue;
            add("buffer_pool", name, mallocs[i], 1, loaded_pair, size, *loaded[i]);
            for (const int threads : {1, 2})
                add("concurrent_buffer_pool", name, mallocs[i], threads, loaded_pair, size, *loaded[i]);
        }
    }
    add("buffer_pool", "header touch, coloured", "allot", 1, coloured_headers);
    add("buffer_pool", "header touch, coloured", "page-aligned", 1, page_aligned_headers);
    benchmark::Initialize(&count, words);
    benchmark::RunSpecifiedBenchmarks();
}
