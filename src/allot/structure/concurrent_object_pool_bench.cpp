// Objects that threads acquire and give back, one after another. Peers: the same objects behind a mutex, which is what
// one writes without a library, with its counts and without; moodycamel's queue as a pool, which has neither counts nor
// limits; a fresh string each time. What counts cost behind a lock shows in the two rows of the mutex (B26); ours
// derives them from what the magazines have to write anyway.
#include <allot/structure/concurrent_object_pool.hpp>
#include <allot/structure/ready_pools.hpp>

#include <benchmark/benchmark.h>

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

template <class T>
void touch(T& object) {
    benchmark::DoNotOptimize(&object);
    benchmark::ClobberMemory();
}

struct with_allot {
    allot::concurrent_object_pool<std::string, allot::string_care> pool;
    void use() { touch(*pool.acquire()); }
};

template <bool counts>
struct with_mutex {
    std::mutex lock;
    std::vector<std::unique_ptr<std::string>> kept;
    std::uint64_t acquired = 0, missed = 0, returned = 0;
    void use() {
        std::unique_ptr<std::string> object;
        {
            const std::lock_guard hold(lock);
            if (counts) ++acquired;
            if (!kept.empty()) {
                object = std::move(kept.back());
                kept.pop_back();
            } else if (counts)
                ++missed;
        }
        if (!object) {
            object = std::make_unique<std::string>();
            object->reserve(256);
        }
        touch(*object);
        object->clear();
        const std::lock_guard hold(lock);
        if (counts) ++returned;
        kept.push_back(std::move(object));
    }
};

#ifdef ALLOT_HAS_MOODYCAMEL
struct with_moodycamel {
    moodycamel::ConcurrentQueue<std::string*> kept;
    ~with_moodycamel() {
        std::string* each = nullptr;
        while (kept.try_dequeue(each)) delete each;
    }
    void use() {
        std::string* object = nullptr;
        if (!kept.try_dequeue(object)) {
            object = new std::string;
            object->reserve(256);
        }
        touch(*object);
        object->clear();
        kept.enqueue(object);
    }
};
#endif

struct with_malloc {
    void use() {
        std::string text;
        text.reserve(256);
        touch(text);
    }
};

template <class With>
std::unique_ptr<With> shared;

template <class With>
void acquire_and_give_back(benchmark::State& state) {
    With& pool = *shared<With>;
    for (auto _ : state) pool.use();
    if (state.threads() > 1) allot::bench::note_scaling(state);
}

template <class With>
void add(const char* peer) {
    for (const int threads : {1, 2}) {
        benchmark::RegisterBenchmark(
            (std::string("concurrent_object_pool/string acquire + release/threads:") +
             std::to_string(threads) + "/" + peer)
                .c_str(),
            acquire_and_give_back<With>)
            ->Threads(threads)
            ->UseRealTime()
            ->Setup([](const benchmark::State&) { shared<With> = std::make_unique<With>(); })
            ->Teardown([](const benchmark::State&) { shared<With>.reset(); });
    }
}

} // namespace

int main(int count, char** words) {
    add<with_allot>("allot");
    add<with_mutex<true>>("mutex, counting");
    add<with_mutex<false>>("mutex");
#ifdef ALLOT_HAS_MOODYCAMEL
    add<with_moodycamel>("moodycamel");
#endif
    add<with_malloc>("malloc-backed std::string of 256 B");
    benchmark::Initialize(&count, words);
    benchmark::RunSpecifiedBenchmarks();
}
