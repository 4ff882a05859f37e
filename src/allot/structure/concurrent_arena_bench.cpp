// Many threads build in one arena; when all are done it is reset. An iteration is one allocation of a thread, its
// share of the reset, or of freeing all, included. Sizes as of a request (50 % of 16 to 47 bytes, 38 % of 48 to
// 175, 12 % of 256 to 767); the first 8 bytes of each block are written. A frame is 10,000 blocks of each thread,
// with two barriers at its end, which weigh in the rows of two threads.
// Unfair to the mallocs: they serve blocks that could be freed one by one; each thread frees its own. Unfair to
// std::pmr: it is not for threads, and so stands behind a mutex, with a first buffer that is never too small.
#include <allot/source/malloc_source.hpp>
#include <allot/structure/concurrent_arena.hpp>

#include <barrier>
#include <benchmark/benchmark.h>
#include <cstdlib>
#include <memory>
#include <memory_resource>
#include <mutex>
#include <random>
#include <string>
#include <support/loaded_malloc.hpp>
#include <support/scaling.hpp>
#include <vector>

#ifdef ALLOT_HAS_TBB
#    include <tbb/scalable_allocator.h>
#endif

namespace {

constexpr std::size_t frame_count = 10'000;
constexpr int threads_max = 2;

const std::vector<std::uint32_t>& sizes() {
    static const std::vector<std::uint32_t> made = [] {
        std::vector<std::uint32_t> all(frame_count);
        std::mt19937 random(1);
        for (std::uint32_t& size : all) {
            const auto kind = random() % 100;
            size = static_cast<std::uint32_t>(kind < 50   ? 16 + random() % 32
                                              : kind < 88 ? 48 + random() % 128
                                                          : 256 + random() % 512);
        }
        return all;
    }();
    return made;
}

struct ours {
    allot::malloc_source heap;
    allot::concurrent_arena arena{{.upstream = &heap}};
    void* take(int, std::size_t size) { return arena.allocate(size, 8); }
    void end_own(int) {}
    void end_all() { arena.reset(); }
};

struct by_locked_pmr {
    std::mutex lock;
    std::vector<std::byte> buffer = std::vector<std::byte>(8 << 20);
    std::pmr::monotonic_buffer_resource arena{buffer.data(), buffer.size()};
    void* take(int, std::size_t size) {
        const std::lock_guard hold(lock);
        return arena.allocate(size, 8);
    }
    void end_own(int) {}
    void end_all() { arena.release(); }
};

template <class Heap>
struct by_heap {
    struct alignas(64) list {
        std::vector<void*> blocks;
    };
    list of[threads_max];
    by_heap() {
        for (list& each : of) each.blocks.reserve(frame_count);
    }
    void* take(int thread, std::size_t size) {
        void* const block = Heap::allocate(size);
        of[thread].blocks.push_back(block);
        return block;
    }
    void end_own(int thread) {
        for (void* const block : of[thread].blocks) Heap::release(block);
        of[thread].blocks.clear();
    }
    void end_all() {}
};

struct libc_heap {
    static void* allocate(std::size_t size) { return std::malloc(size); }
    static void release(void* block) { std::free(block); }
};

template <int Which>
struct loaded_heap {
    static inline allot::bench::loaded_malloc it;
    static void* allocate(std::size_t size) { return it.allocate(size); }
    static void release(void* block) { it.release(block); }
};

#ifdef ALLOT_HAS_TBB
struct tbb_heap {
    static void* allocate(std::size_t size) { return scalable_malloc(size); }
    static void release(void* block) { scalable_free(block); }
};
#endif

template <class Arena>
struct shared {
    static inline std::unique_ptr<Arena> arena;
    static inline std::unique_ptr<std::barrier<>> barrier;
};

template <class Arena>
[[gnu::noinline]] void build(Arena& arena, int thread) {
    for (const std::uint32_t size : sizes())
        *static_cast<volatile std::uint64_t*>(arena.take(thread, size)) = size;
}

template <class Arena>
void run(benchmark::State& state) {
    using common = shared<Arena>;
    const int thread = state.thread_index();
    if (thread == 0) {
        common::arena = std::make_unique<Arena>();
        common::barrier = std::make_unique<std::barrier<>>(state.threads());
        for (int i = 0; i < 3; ++i) { // whatever it keeps, it has then
            build(*common::arena, 0);
            common::arena->end_own(0);
            common::arena->end_all();
        }
    }
    while (state.KeepRunningBatch(frame_count)) { // begins when all threads are here
        build(*common::arena, thread);
        common::arena->end_own(thread);
        common::barrier->arrive_and_wait();
        if (thread == 0) common::arena->end_all();
        common::barrier->arrive_and_wait();
    }
    allot::bench::note_scaling(state);
    if (thread == 0) common::arena.reset();
}

void pair(benchmark::State& state) {
    ours common;
    for (auto _ : state) {
        void* const block = common.take(0, 64);
        benchmark::DoNotOptimize(block);
        common.arena.deallocate(block, 64);
    }
}

template <class Arena>
void add(const std::string& peer) {
    for (int threads = 1; threads <= threads_max; ++threads)
        benchmark::RegisterBenchmark(
            ("concurrent_arena/frame/threads:" + std::to_string(threads) + "/" + peer).c_str(), run<Arena>)
            ->Threads(threads)
            ->UseRealTime();
}

template <int Which>
void add_loaded(const char* name) {
    const auto loaded = allot::bench::load_malloc(name);
    if (!loaded) return;
    loaded_heap<Which>::it = *loaded;
    add<by_heap<loaded_heap<Which>>>(name);
}

} // namespace

int main(int argc, char** argv) {
    add<ours>("allot");
    add<by_locked_pmr>("std::pmr with a mutex");
    add<by_heap<libc_heap>>("malloc");
    add_loaded<0>("tcmalloc");
    add_loaded<1>("mimalloc");
#ifdef ALLOT_HAS_TBB
    add<by_heap<tbb_heap>>("tbb scalable_malloc");
#endif
    benchmark::RegisterBenchmark("concurrent_arena/pair/threads:1/allot", pair);
    benchmark::Initialize(&argc, argv);
    benchmark::RunSpecifiedBenchmarks();
}
