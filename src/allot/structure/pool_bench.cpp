// Slots of 64 bytes that come and go: the newest at once, a thousand in turn, a random one of many.
// Ours counts what is live and total, at check level on it also looks for misuse, which no peer here does; for the
// figures without that are those of the preset bench-off. Unfair to the peers: churn takes our slots on
// cache lines of their own, an option that they lack (malloc's blocks and std::pmr's straddle lines).
// Unfair to us: boost::pool and foonathan's pool know one size and no limit, and neither counts.
#include <allot/structure/pool.hpp>

#include <benchmark/benchmark.h>

#include <cstdlib>
#include <memory_resource>
#include <vector>

#if __has_include(<boost/pool/pool.hpp>)
#    include <boost/pool/pool.hpp>
#    define ALLOT_HAS_BOOST_POOL 1
#endif
#ifdef ALLOT_HAS_FOONATHAN
#    include <foonathan/memory/memory_pool.hpp>
#endif

namespace {

constexpr std::size_t size = 64;

struct with_allot {
    with_allot(bool lines) : slots({.slot = {.size = size, .align = 8}, .line_aligned = lines}) {}
    void* acquire() { return slots.allocate(); }
    void release(void* slot) { slots.deallocate(slot); }
    allot::pool slots;
};
struct with_malloc {
    with_malloc(bool) {}
    void* acquire() { return std::malloc(size); }
    void release(void* slot) { std::free(slot); }
};
struct with_pmr {
    with_pmr(bool) {}
    void* acquire() { return slots.allocate(size, 8); }
    void release(void* slot) { slots.deallocate(slot, size, 8); }
    std::pmr::unsynchronized_pool_resource slots;
};
#ifdef ALLOT_HAS_BOOST_POOL
struct with_boost {
    with_boost(bool) : slots(size) {}
    void* acquire() { return slots.malloc(); }
    void release(void* slot) { slots.free(slot); }
    boost::pool<> slots;
};
#endif
#ifdef ALLOT_HAS_FOONATHAN
struct with_foonathan {
    with_foonathan(bool) : slots(size, 1 << 20) {}
    void* acquire() { return slots.allocate_node(); }
    void release(void* slot) { slots.deallocate_node(slot); }
    foonathan::memory::memory_pool<> slots;
};
#endif

void touch(void* slot, std::uint64_t value) { *static_cast<volatile std::uint64_t*>(slot) = value; }

template <class With>
void lifo1(benchmark::State& state) {
    With pool(false);
    std::uint64_t value = 0;
    pool.release(pool.acquire()); // its first slab is not the pair's
    for (auto _ : state) {
        void* const slot = pool.acquire();
        touch(slot, ++value);
        benchmark::DoNotOptimize(slot);
        pool.release(slot);
    }
}

// Acquires a thousand, releases them in the same order.
template <class With>
void batch1000(benchmark::State& state) {
    With pool(false);
    std::vector<void*> slots(1000);
    for (auto _ : state) {
        for (void*& slot : slots) touch(slot = pool.acquire(), 1);
        benchmark::ClobberMemory();
        for (void* slot : slots) pool.release(slot);
    }
}

// So many live; a random one goes, another comes.
template <class With>
void churn(benchmark::State& state, std::size_t count) {
    With pool(true);
    std::vector<void*> slots(count);
    for (void*& slot : slots) touch(slot = pool.acquire(), 1);
    std::uint64_t random = 88172645463325252;
    for (auto _ : state) {
        random ^= random << 13; // Marsaglia's xorshift
        random ^= random >> 7;
        random ^= random << 17;
        void*& victim = slots[static_cast<std::size_t>((random >> 32) * count >> 32)];
        pool.release(victim);
        benchmark::ClobberMemory(); // no compiler sees through both
        touch(victim = pool.acquire(), random);
    }
    for (void* slot : slots) pool.release(slot);
}

template <class With>
void add(const std::string& peer) {
    const auto name = [&](const char* workload) {
        return std::string("pool/") + workload + "/threads:1/" + peer;
    };
    benchmark::RegisterBenchmark(name("lifo1").c_str(), lifo1<With>);
    benchmark::RegisterBenchmark(name("batch1000").c_str(), batch1000<With>);
    benchmark::RegisterBenchmark(name("churn10k").c_str(), churn<With>, 10'000);
    benchmark::RegisterBenchmark(name("churn1M").c_str(), churn<With>, 1'000'000);
}

} // namespace

int main(int count, char** words) {
    benchmark::RegisterBenchmark("pool with statistics/lifo1/threads:1/allot", lifo1<with_allot>);
#ifdef ALLOT_HAS_BOOST_POOL
    benchmark::RegisterBenchmark("pool with statistics/lifo1/threads:1/boost::pool", lifo1<with_boost>);
#endif
    add<with_allot>("allot");
    add<with_malloc>("malloc");
    add<with_pmr>("std::pmr");
#ifdef ALLOT_HAS_BOOST_POOL
    add<with_boost>("boost::pool");
#endif
#ifdef ALLOT_HAS_FOONATHAN
    add<with_foonathan>("foonathan");
#endif
    benchmark::Initialize(&count, words);
    benchmark::RunSpecifiedBenchmarks();
}
