// Bump allocation by ours, std::pmr's, foonathan's, LLVM's and protobuf's arena, and malloc, on recorded and made-up
// requests. An iteration is one allocation, the reset's share included. Every block is aligned to 8, as
// CPython's arena does, and its first 8 bytes are written.
// Unfair to std::pmr: it gets a first buffer as large as the largest lifetime, so that its release() keeps
// memory; without one it would go to malloc at each reset. Unfair to LLVM: its Reset() keeps the first slab
// (1 MiB) alone. Unfair to protobuf: its arena serves many threads, and looks for the thread's part at each block; it
// gets a first buffer as std::pmr does. Unfair to malloc: it serves blocks that could be freed one by one. Unfair to ours: it
// counts bytes and blocks, checks its limit, and has a name; none of the others does. `cold` keeps chunks for the next
// arena as malloc does for the peers'; `growing` gives the process nothing that it had before.
#include <allot/source/chunk_cache_source.hpp>
#include <allot/source/malloc_source.hpp>
#include <allot/structure/arena.hpp>

#include <benchmark/benchmark.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <malloc.h>
#include <memory_resource>
#include <random>
#include <string>
#include <support/scaling.hpp>
#include <vector>
#include <zstd.h>

#ifdef ALLOT_HAS_FOONATHAN
#    include <foonathan/memory/memory_stack.hpp>
#endif
#ifdef ALLOT_HAS_LLVM
#    include <llvm/Support/Allocator.h>
#endif
#ifdef ALLOT_HAS_PROTOBUF
#    include <google/protobuf/arena.h>
#endif

namespace {

using sizes = std::vector<std::uint32_t>;
constexpr std::size_t align = 8;
constexpr std::size_t lifetime_bytes_max = 8 << 20;

// ---- workloads: lifetimes of sizes

std::vector<sizes> read_ast() {
    std::ifstream file(ALLOT_BENCH_DATA "/python_ast_arena.u32.zst", std::ios::binary);
    const std::string packed((std::istreambuf_iterator<char>(file)), {});
    const unsigned long long bytes = ZSTD_getFrameContentSize(packed.data(), packed.size());
    if (packed.empty() || bytes > (64u << 20)) std::abort();
    sizes all(static_cast<std::size_t>(bytes) / 4);
    if (ZSTD_decompress(all.data(), all.size() * 4, packed.data(), packed.size()) != bytes) std::abort();
    std::vector<sizes> lifetimes;
    for (const std::uint32_t size : all) {
        if (size == 0) {
            lifetimes.emplace_back();
        } else {
            lifetimes.back().push_back(size);
        }
    }
    std::erase_if(lifetimes, [](const sizes& each) { return each.empty(); });
    return lifetimes;
}

const std::vector<sizes>& ast() {
    static const std::vector<sizes> lifetimes = read_ast();
    return lifetimes;
}

const std::vector<sizes>& fixed32() {
    static const std::vector<sizes> lifetimes{sizes(1000, 32)};
    return lifetimes;
}

// 50 % of 16 to 47 bytes, 38 % of 48 to 175, 12 % of 256 to 767.
const std::vector<sizes>& request100() {
    static const std::vector<sizes> lifetimes = [] {
        std::vector<sizes> made(64, sizes(100));
        std::mt19937 random(1);
        for (sizes& request : made)
            for (std::uint32_t& size : request) {
                const auto kind = random() % 100;
                size = static_cast<std::uint32_t>(kind < 50   ? 16 + random() % 32
                                                  : kind < 88 ? 48 + random() % 128
                                                              : 256 + random() % 512);
            }
        return made;
    }();
    return lifetimes;
}

// ---- the arenas: made anew, or reset

struct ours {
    allot::malloc_source heap;
    allot::arena arena{{.upstream = &heap, .chunk_bytes_min = 16384}};
    void* take(std::size_t size) { return arena.allocate(allot::layout{size, align}); }
    void reset() { arena.reset(); }
};

struct ours_by_default { // chunks from the default source: from its cache, and as huge pages
    allot::arena arena;
    void* take(std::size_t size) { return arena.allocate(allot::layout{size, align}); }
    void reset() { arena.reset(); }
};

// A program that parses large files keeps chunks for them: 16 MiB, as malloc does on its own.
struct ours_by_cache {
    static allot::chunk_cache_source& chunks() {
        static allot::malloc_source heap;
        static allot::chunk_cache_source cache(
            heap, {.thread_kept_bytes_max = 16 << 20, .kept_bytes_max = 16 << 20});
        return cache;
    }
    allot::arena arena{{.upstream = &chunks(), .chunk_bytes_min = 16384}};
    void* take(std::size_t size) { return arena.allocate(allot::layout{size, align}); }
};

struct ours_by_pmr : ours {
    std::pmr::memory_resource* resource = &arena;
    ours_by_pmr() { benchmark::DoNotOptimize(resource); }
    void* take(std::size_t size) { return resource->allocate(size, align); }
};

struct by_std_pmr {
    std::vector<std::byte> buffer = std::vector<std::byte>(lifetime_bytes_max);
    std::pmr::monotonic_buffer_resource arena{buffer.data(), buffer.size()};
    void* take(std::size_t size) { return arena.allocate(size, align); }
    void reset() { arena.release(); }
};

struct by_unknown_std_pmr : by_std_pmr { // as a container sees it
    std::pmr::memory_resource* resource = &arena;
    by_unknown_std_pmr() { benchmark::DoNotOptimize(resource); }
    void* take(std::size_t size) { return resource->allocate(size, align); }
};

struct by_std_pmr_cold {
    std::pmr::monotonic_buffer_resource arena{16384};
    void* take(std::size_t size) { return arena.allocate(size, align); }
    void reset() { arena.release(); }
};

#ifdef ALLOT_HAS_FOONATHAN
template <std::size_t Bytes>
struct by_foonathan {
    foonathan::memory::memory_stack<> arena{Bytes};
    foonathan::memory::memory_stack<>::marker bottom = arena.top();
    void* take(std::size_t size) { return arena.allocate(size, align); }
    void reset() { arena.unwind(bottom); }
};
#endif

#ifdef ALLOT_HAS_LLVM
struct by_llvm {
    llvm::BumpPtrAllocatorImpl<llvm::MallocAllocator, 1 << 20, 1 << 20> arena;
    void* take(std::size_t size) { return arena.Allocate(size, align); }
    void reset() { arena.Reset(); }
};
#endif

#ifdef ALLOT_HAS_PROTOBUF
struct by_protobuf_cold {
    google::protobuf::Arena arena;
    void* take(std::size_t size) { return google::protobuf::Arena::CreateArray<char>(&arena, size); }
};

struct by_protobuf {
    static google::protobuf::ArenaOptions beginning_in(std::vector<char>& buffer) {
        google::protobuf::ArenaOptions how;
        how.initial_block = buffer.data();
        how.initial_block_size = buffer.size();
        return how;
    }
    std::vector<char> buffer = std::vector<char>(lifetime_bytes_max);
    google::protobuf::Arena arena{beginning_in(buffer)};
    void* take(std::size_t size) { return google::protobuf::Arena::CreateArray<char>(&arena, size); }
    void reset() { arena.Reset(); }
};
#endif

struct by_malloc {
    std::vector<void*> blocks;
    by_malloc() { blocks.reserve(1 << 20); }
    void* take(std::size_t size) {
        void* const block = std::malloc(size);
        blocks.push_back(block);
        return block;
    }
    void reset() {
        for (void* const block : blocks) std::free(block);
        blocks.clear();
    }
    ~by_malloc() { reset(); }
};

// ---- the loops

template <class Arena>
[[gnu::noinline]] void live_once(Arena& arena, const sizes& requests) {
    for (const std::uint32_t size : requests) *static_cast<volatile std::uint64_t*>(arena.take(size)) = size;
}

benchmark::IterationCount count_of(const std::vector<sizes>& lifetimes) {
    std::size_t count = 0;
    for (const sizes& each : lifetimes) count += each.size();
    return static_cast<benchmark::IterationCount>(count);
}

template <class Arena>
void warm(benchmark::State& state, const std::vector<sizes>& (*workload)()) {
    const std::vector<sizes>& lifetimes = workload();
    Arena arena;
    for (const sizes& each : lifetimes) { // whatever it keeps, it has now
        live_once(arena, each);
        arena.reset();
    }
    while (state.KeepRunningBatch(count_of(lifetimes)))
        for (const sizes& each : lifetimes) {
            live_once(arena, each);
            arena.reset();
        }
}

// Every field of an object is written; its size is known where it is made.
struct node {
    node* next;
    std::uint64_t key;
    double weight;
    std::uint32_t kind;
    std::uint32_t line;
};

template <class Arena>
[[gnu::noinline]] node* make_list(Arena& arena, std::uint32_t count) {
    node* first = nullptr;
    for (std::uint32_t i = 0; i != count; ++i)
        first = ::new (arena.take(sizeof(node))) node{first, i, 0.5, 7, i};
    return first;
}

template <class Arena>
void typed(benchmark::State& state) {
    constexpr std::uint32_t count = 1000;
    Arena arena;
    while (state.KeepRunningBatch(count)) {
        benchmark::DoNotOptimize(make_list(arena, count));
        benchmark::ClobberMemory();
        arena.reset();
    }
}

// Memory that the process does not have yet: what an allocator kept goes back to the system before each.
template <class Arena>
void grow(benchmark::State& state) {
    constexpr std::uint32_t count = (64 << 20) / 32;
    while (state.KeepRunningBatch(count)) {
        state.PauseTiming();
        ::malloc_trim(0);
        {
            Arena arena;
            state.ResumeTiming();
            for (std::uint32_t i = 0; i != count; ++i)
                *static_cast<volatile std::uint64_t*>(arena.take(32)) = i;
            state.PauseTiming();
        }
        state.ResumeTiming();
    }
}

// A thread's own arena in each of two threads.
template <class Arena>
void warm_in_two(benchmark::State& state) {
    warm<Arena>(state, request100);
    allot::bench::note_scaling(state);
}

template <class Arena>
void cold(benchmark::State& state) {
    while (state.KeepRunningBatch(count_of(ast())))
        for (const sizes& each : ast()) {
            Arena arena;
            live_once(arena, each);
        }
}

// A scope and one block in it, in an arena that holds others.
void scope(benchmark::State& state) {
    ours it;
    static_cast<void>(it.take(100));
    while (state.KeepRunningBatch(1000))
        for (int i = 0; i != 1000; ++i) {
            const allot::arena::scope step(it.arena);
            *static_cast<volatile std::uint64_t*>(it.take(32)) = 1;
        }
}

template <class Arena>
void add(const std::string& peer) {
    const auto name = [&peer](const char* workload) {
        return "arena/" + std::string(workload) + "/threads:1/" + peer;
    };
    benchmark::RegisterBenchmark(name("ast touch8").c_str(), warm<Arena>, ast);
    benchmark::RegisterBenchmark(name("fixed32").c_str(), warm<Arena>, fixed32);
    benchmark::RegisterBenchmark(name("request100").c_str(), warm<Arena>, request100);
    benchmark::RegisterBenchmark(name("typed writes").c_str(), typed<Arena>);
    benchmark::RegisterBenchmark(("arena/request100/threads:2/" + peer).c_str(), warm_in_two<Arena>)
        ->Threads(2)
        ->UseRealTime();
}

template <class Arena>
void add_cold(const std::string& peer) {
    benchmark::RegisterBenchmark(("arena/cold/threads:1/" + peer).c_str(), cold<Arena>);
}

template <class Arena>
void add_fresh(const std::string& peer) {
    benchmark::RegisterBenchmark(("arena/growing to 64 MiB fresh/threads:1/" + peer).c_str(), grow<Arena>);
}

} // namespace

int main(int argc, char** argv) {
    add<ours>("allot");
    add<by_std_pmr>("std::pmr");
    add<by_malloc>("malloc");
    add_cold<ours_by_cache>("allot");
    add_fresh<ours_by_default>("allot");
    add_cold<by_std_pmr_cold>("std::pmr");
    add_cold<by_malloc>("malloc");
    add_fresh<by_std_pmr_cold>("std::pmr");
    add_fresh<by_malloc>("malloc");
#ifdef ALLOT_HAS_FOONATHAN
    add<by_foonathan<lifetime_bytes_max>>("foonathan");
    add_cold<by_foonathan<1 << 16>>("foonathan");
    add_fresh<by_foonathan<1 << 16>>("foonathan");
#endif
#ifdef ALLOT_HAS_LLVM
    add<by_llvm>("llvm");
    add_cold<by_llvm>("llvm");
    add_fresh<by_llvm>("llvm");
#endif
#ifdef ALLOT_HAS_PROTOBUF
    add<by_protobuf>("protobuf");
    add_cold<by_protobuf_cold>("protobuf");
    add_fresh<by_protobuf_cold>("protobuf");
#endif
    benchmark::RegisterBenchmark("arena/scope/threads:1/allot", scope);
    const std::string by_pmr = "arena/through std::pmr::memory_resource/threads:1/";
    benchmark::RegisterBenchmark((by_pmr + "allot").c_str(), warm<ours_by_pmr>, ast);
    benchmark::RegisterBenchmark((by_pmr + "std::pmr").c_str(), warm<by_unknown_std_pmr>, ast);
    benchmark::Initialize(&argc, argv);
    benchmark::RunSpecifiedBenchmarks();
}
