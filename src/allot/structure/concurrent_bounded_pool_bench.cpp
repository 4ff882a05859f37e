// 4,096 slots of 64 bytes shared by one thread or two, the newest back at once; ours is exact, so are boost's queue
// and stack of 4,096 pointers. Unfair to moodycamel's queue: it could be taken with a token per thread, which a
// pool's callers do not have. At level on ours also looks for misuse, and it counts what is live and total.
#include <allot/structure/concurrent_bounded_pool.hpp>

#include <benchmark/benchmark.h>
#include <boost/lockfree/queue.hpp>
#include <boost/lockfree/stack.hpp>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <string>
#include <support/scaling.hpp>
#include <vector>
#if __has_include(<concurrentqueue/concurrentqueue.h>)
#    include <concurrentqueue/concurrentqueue.h>
#    define ALLOT_HAS_MOODYCAMEL 1
#endif

namespace {

constexpr std::size_t size = 64;
constexpr std::size_t count = 4096;

struct with_allot {
    void* acquire() { return slots.try_allocate(); }
    void release(void* slot) { slots.deallocate(slot); }
    allot::concurrent_bounded_pool slots{
        {.slot = {.size = size, .align = 8}, .slot_count = count, .line_aligned = true}};
};

// The same with a count that all threads share, as a pool that counts by itself would have it.
struct with_shared_counts : with_allot {
    void* acquire() {
        void* const slot = slots.try_allocate();
        if (slot) total.fetch_add(1, std::memory_order_relaxed);
        return slot;
    }
    alignas(64) std::atomic<std::uint64_t> total = 0;
};

struct with_mutex {
    with_mutex() {
        for (std::size_t i = 0; i != count; ++i) slots.push_back(std::malloc(size));
    }
    ~with_mutex() {
        for (void* slot : slots) std::free(slot);
    }
    void* acquire() {
        const std::lock_guard hold(mutex);
        if (slots.empty()) return nullptr;
        void* const slot = slots.back();
        slots.pop_back();
        return slot;
    }
    void release(void* slot) {
        const std::lock_guard hold(mutex);
        slots.push_back(slot);
    }
    std::mutex mutex;
    std::vector<void*> slots;
};

template <class List>
struct with_lockfree {
    with_lockfree() {
        for (std::size_t i = 0; i != count; ++i) slots.bounded_push(std::malloc(size));
    }
    ~with_lockfree() { slots.consume_all(std::free); }
    void* acquire() {
        void* slot = nullptr;
        return slots.pop(slot) ? slot : nullptr;
    }
    void release(void* slot) { slots.bounded_push(slot); }
    List slots{count};
};
using with_stack = with_lockfree<boost::lockfree::stack<void*>>;
using with_queue = with_lockfree<boost::lockfree::queue<void*>>;

#ifdef ALLOT_HAS_MOODYCAMEL
struct with_moodycamel {
    with_moodycamel() {
        for (std::size_t i = 0; i != count; ++i) slots.enqueue(std::malloc(size));
    }
    ~with_moodycamel() {
        for (void* slot = nullptr; slots.try_dequeue(slot);) std::free(slot);
    }
    void* acquire() {
        void* slot = nullptr;
        return slots.try_dequeue(slot) ? slot : nullptr;
    }
    void release(void* slot) { slots.enqueue(slot); }
    moodycamel::ConcurrentQueue<void*> slots{2 * count};
};
#endif

template <class With>
std::unique_ptr<With> shared; // made before the threads start

template <class With>
void exact_shared(benchmark::State& state) {
    With& pool = *shared<With>;
    std::uint64_t value = 0;
    for (auto _ : state) {
        void* const slot = pool.acquire();
        if (!slot) {
            state.SkipWithError("no slot");
            break;
        }
        *static_cast<volatile std::uint64_t*>(slot) = ++value;
        benchmark::DoNotOptimize(slot);
        pool.release(slot);
    }
    allot::bench::note_scaling(state);
}

template <class With>
void add(const std::string& peer, const char* workload = "exact shared") {
    for (const int threads : {1, 2}) {
        // The framework adds the number of threads to the name.
        const std::string name = std::string("concurrent_bounded_pool/") + workload +
                                 "/threads:" + std::to_string(threads) + "/" + peer;
        benchmark::RegisterBenchmark(name.c_str(), exact_shared<With>)
            ->Threads(threads)
            ->UseRealTime()
            ->Setup([](const benchmark::State&) { shared<With> = std::make_unique<With>(); })
            ->Teardown([](const benchmark::State&) { shared<With> = nullptr; });
    }
}

} // namespace

int main(int argument_count, char** words) {
    add<with_allot>("allot");
    add<with_mutex>("mutex");
    add<with_stack>("boost.lockfree stack");
    add<with_queue>("boost.lockfree");
#ifdef ALLOT_HAS_MOODYCAMEL
    add<with_moodycamel>("moodycamel");
#endif
    add<with_allot>("allot", "exact shared, own statistics");
    add<with_shared_counts>("shared counter", "exact shared, own statistics");
    benchmark::Initialize(&argument_count, words);
    benchmark::RunSpecifiedBenchmarks();
}
