// Objects that come and go: acquired, touched, given back; against ones that are made and destroyed each time.
// Unfair to the peers: a pool's object is clean again, a fresh one was never dirty, and here neither is filled (the
// rows "… filled" do that). Unfair to us: we count, and at check level on look for misuse.
#include <allot/structure/object_pool.hpp>
#include <allot/structure/ready_pools.hpp>

#include <benchmark/benchmark.h>

#include <unordered_map>

namespace {

template <class T>
void touch(T& object) {
    benchmark::DoNotOptimize(&object);
    benchmark::ClobberMemory();
}

template <class Pool>
void acquire_and_give_back(benchmark::State& state) {
    Pool pool;
    touch(*pool.acquire()); // the first one is made
    for (auto _ : state) {
        auto object = pool.acquire();
        touch(*object);
    }
}

void fresh_string(benchmark::State& state) {
    for (auto _ : state) {
        std::string text;
        text.reserve(256);
        touch(text);
    }
}

void fresh_byte_vector(benchmark::State& state) {
    for (auto _ : state) {
        std::vector<std::byte> bytes;
        bytes.reserve(1024);
        touch(bytes);
    }
}

void fresh_hash_map(benchmark::State& state) {
    for (auto _ : state) {
        std::unordered_map<int, int> map;
        map.reserve(32);
        touch(map);
    }
}

void filled_hash_map(benchmark::State& state) {
    allot::hash_map_pool<int, int> pool;
    for (auto _ : state) {
        auto map = pool.acquire();
        for (int i = 0; i != 32; ++i) (*map)[i * 7] = i;
        touch(*map);
    }
}

void filled_fresh_hash_map(benchmark::State& state) {
    for (auto _ : state) {
        std::unordered_map<int, int> map;
        map.reserve(32);
        for (int i = 0; i != 32; ++i) map[i * 7] = i;
        touch(map);
    }
}

struct plain_string_pool : allot::object_pool<std::string, allot::string_care> {};

} // namespace

BENCHMARK(acquire_and_give_back<allot::string_pool>)
    ->Name("object_pool/string acquire + release/threads:1/allot");
BENCHMARK(fresh_string)
    ->Name("object_pool/string acquire + release/threads:1/malloc-backed std::string of 256 B");
BENCHMARK(acquire_and_give_back<plain_string_pool>)
    ->Name("object_pool/string acquire + release/threads:1/without following demand");
BENCHMARK(acquire_and_give_back<allot::byte_vector_pool>)
    ->Name("object_pool/byte vector acquire + release/threads:1/allot");
BENCHMARK(fresh_byte_vector)
    ->Name("object_pool/byte vector acquire + release/threads:1/fresh std::vector of 1,024 B");
BENCHMARK(acquire_and_give_back<allot::hash_map_pool<int, int>>)
    ->Name("object_pool/hash map acquire + release/threads:1/allot");
BENCHMARK(fresh_hash_map)
    ->Name("object_pool/hash map acquire + release/threads:1/fresh std::unordered_map of 32");
BENCHMARK(filled_hash_map)->Name("object_pool/hash map filled with 32/threads:1/allot");
BENCHMARK(filled_fresh_hash_map)
    ->Name("object_pool/hash map filled with 32/threads:1/fresh std::unordered_map of 32");

BENCHMARK_MAIN();
