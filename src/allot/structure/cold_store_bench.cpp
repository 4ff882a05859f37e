// cold_store beside plain calls of zstd, on blocks of 4 KiB cut from this library's own documents: what a block's way
// through the tiers costs, per block, and how small it gets.
//
// Unfair to us: the peer keeps no books and no checksum, and takes no memory for what it packs.
#include <allot/structure/cold_store.hpp>
#include <allot/testing/memory_store.hpp>

#include <benchmark/benchmark.h>

#include <fstream>
#include <string>
#include <vector>

#ifdef ALLOT_HAS_ZSTD
#    include <zstd.h>
#endif

namespace {

using namespace allot;
constexpr std::size_t block_bytes = 4096;

const std::vector<std::string>& blocks() {
    static const std::vector<std::string> all = [] {
        std::string text;
        for (const char* name :
             {"docs/choosing.md", "docs/glossary.md", "docs/numbers.md", "bench/targets.json"}) {
            std::ifstream file(std::string(ALLOT_BENCH_ROOT "/") + name);
            text.append(std::istreambuf_iterator<char>(file), {});
        }
        std::vector<std::string> cut;
        for (std::size_t at = 0; at + block_bytes <= text.size(); at += block_bytes)
            cut.push_back(text.substr(at, block_bytes));
        return cut;
    }();
    return all;
}

std::span<const std::byte> bytes_of(const std::string& text) { return std::as_bytes(std::span(text)); }

cold_store_options options(byte_store& disk) {
    return {.store = &disk,
            .hot_bytes_max = mebibytes(64),
            .compressed_bytes_max = mebibytes(64),
            .block_bytes_max = block_bytes};
}

// Each block goes down to the tier, and get() brings it back: a round is both.
void round(benchmark::State& state, cold_tier tier) {
    memory_store disk;
    cold_store store(options(disk));
    std::vector<cold_handle> handles;
    for (const std::string& each : blocks()) handles.push_back(*store.put(bytes_of(each)));
    std::vector<std::byte> into(block_bytes);
    std::size_t next = 0;
    for (auto _ : state) {
        const cold_handle block = handles[next++ % handles.size()];
        if (tier == cold_tier::compressed) (void)store.compress(block);
        if (tier == cold_tier::stored) (void)store.page_out(block);
        benchmark::DoNotOptimize(store.get(block, into));
        if (next % 4096 == 0) (void)disk.sync(); // forgets what was written since
    }
    for (const cold_handle each : handles) (void)store.compress(each);
    state.counters["ratio"] = store.statistics().ratio();
    state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(block_bytes));
}

void get_hot(benchmark::State& state) { round(state, cold_tier::hot); }
void compress_get(benchmark::State& state) { round(state, cold_tier::compressed); }
void page_out_get(benchmark::State& state) { round(state, cold_tier::stored); }
BENCHMARK(get_hot)->Name("cold_store/get_hot/threads:1/allot");
BENCHMARK(compress_get)->Name("cold_store/compress_get/threads:1/allot");
BENCHMARK(page_out_get)->Name("cold_store/page_out_get/threads:1/allot");

#ifdef ALLOT_HAS_ZSTD
void zstd_round(benchmark::State& state) {
    ZSTD_CCtx* const packing = ZSTD_createCCtx();
    ZSTD_DCtx* const unpacking = ZSTD_createDCtx();
    std::vector<char> packed(ZSTD_compressBound(block_bytes)), plain(block_bytes);
    std::size_t next = 0, packed_bytes = 0;
    for (auto _ : state) {
        const std::string& block = blocks()[next++ % blocks().size()];
        const std::size_t size =
            ZSTD_compressCCtx(packing, packed.data(), packed.size(), block.data(), block.size(), 3);
        packed_bytes += size;
        benchmark::DoNotOptimize(
            ZSTD_decompressDCtx(unpacking, plain.data(), plain.size(), packed.data(), size));
    }
    ZSTD_freeCCtx(packing);
    ZSTD_freeDCtx(unpacking);
    state.counters["ratio"] = static_cast<double>(next * block_bytes) / static_cast<double>(packed_bytes);
    state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(block_bytes));
}
BENCHMARK(zstd_round)->Name("cold_store/compress_get/threads:1/zstd");
#endif

} // namespace

BENCHMARK_MAIN();
