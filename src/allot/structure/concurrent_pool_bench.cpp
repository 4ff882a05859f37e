// Slots of 64 bytes in one thread or two: the newest back at once, a thousand in turn, and from one thread to another.
// Ours counts what is live and total and has a limit, which no peer here does; at level on it also looks for misuse.
// Queues and stacks of pointers stand for pools that people make of them: they hold 4,096 blocks beforehand, and an
// empty one asks malloc. Unfair to the peers: all but the mallocs and boost's and std's pools hold one size, as ours.
#include <allot/structure/concurrent_pool.hpp>

#include <benchmark/benchmark.h>
#include <boost/lockfree/queue.hpp>
#include <boost/lockfree/stack.hpp>
#include <boost/pool/singleton_pool.hpp>
#include <cstdlib>
#include <memory>
#include <memory_resource>
#include <sched.h>
#include <string>
#include <support/loaded_malloc.hpp>
#include <support/scaling.hpp>
#include <vector>
#if __has_include(<concurrentqueue/concurrentqueue.h>)
#    include <concurrentqueue/concurrentqueue.h>
#    define ALLOT_HAS_MOODYCAMEL 1
#endif

namespace {

using allot::bench::loaded_malloc;
constexpr std::size_t size = 64;
constexpr std::size_t kept = 4096;

struct with_allot {
    void* acquire() { return slots.allocate(); }
    void release(void* slot) { slots.deallocate(slot); }
    allot::concurrent_pool slots{{.slot = {.size = size, .align = 8}}};
};
struct with_malloc {
    void* acquire() { return std::malloc(size); }
    void release(void* slot) { std::free(slot); }
};
template <const char* name>
struct with_loaded {
    void* acquire() { return functions->allocate(size); }
    void release(void* slot) { functions->release(slot); }
    inline static std::optional<loaded_malloc> functions;
};
constexpr char tcmalloc[] = "tcmalloc", mimalloc[] = "mimalloc", jemalloc[] = "jemalloc";
struct with_pmr {
    void* acquire() { return slots.allocate(size, 8); }
    void release(void* slot) { slots.deallocate(slot, size, 8); }
    std::pmr::synchronized_pool_resource slots;
};
struct with_singleton {
    struct tag;
    using slots = boost::singleton_pool<tag, size>;
    void* acquire() { return slots::malloc(); }
    void release(void* slot) { slots::free(slot); }
};
struct with_stack {
    with_stack() {
        for (std::size_t i = 0; i != kept; ++i) slots.push(std::malloc(size));
    }
    ~with_stack() { slots.consume_all(std::free); }
    void* acquire() {
        void* slot = nullptr;
        return slots.pop(slot) ? slot : std::malloc(size);
    }
    void release(void* slot) { slots.push(slot); }
    boost::lockfree::stack<void*> slots{kept};
};
struct with_queue {
    with_queue() {
        for (std::size_t i = 0; i != kept; ++i) slots.push(std::malloc(size));
    }
    ~with_queue() { slots.consume_all(std::free); }
    void* acquire() {
        void* slot = nullptr;
        return slots.pop(slot) ? slot : std::malloc(size);
    }
    void release(void* slot) { slots.push(slot); }
    boost::lockfree::queue<void*> slots{kept};
};
#ifdef ALLOT_HAS_MOODYCAMEL
struct with_moodycamel {
    with_moodycamel() {
        for (std::size_t i = 0; i != kept; ++i) slots.enqueue(std::malloc(size));
    }
    ~with_moodycamel() {
        for (void* slot = nullptr; slots.try_dequeue(slot);) std::free(slot);
    }
    void* acquire() {
        void* slot = nullptr;
        return slots.try_dequeue(slot) ? slot : std::malloc(size);
    }
    void release(void* slot) { slots.enqueue(slot); }
    moodycamel::ConcurrentQueue<void*> slots{kept};
};
#endif

void touch(void* slot, std::uint64_t value) { *static_cast<volatile std::uint64_t*>(slot) = value; }

// Made before the threads start.
template <class With>
std::unique_ptr<With> shared;

template <class With>
void lifo1(benchmark::State& state) {
    With& pool = *shared<With>;
    std::uint64_t value = 0;
    pool.release(pool.acquire()); // what a thread's first time costs is no part of it
    for (auto _ : state) {
        void* const slot = pool.acquire();
        touch(slot, ++value);
        benchmark::DoNotOptimize(slot);
        pool.release(slot);
    }
    allot::bench::note_scaling(state);
}

// Acquires a thousand, releases them in the same order.
template <class With>
void batch1000(benchmark::State& state) {
    With& pool = *shared<With>;
    std::vector<void*> slots(1000);
    for (void*& slot : slots) slot = pool.acquire();
    for (void* slot : slots) pool.release(slot);
    for (auto _ : state) {
        for (void*& slot : slots) touch(slot = pool.acquire(), 1);
        benchmark::ClobberMemory();
        for (void* slot : slots) pool.release(slot);
    }
    allot::bench::note_scaling(state);
}

// One writer, one reader.
class ring {
public:
    void push(void* item) {
        for (allot::backoff pause; written_ - read_seen_ == places;
             read_seen_ = read_.load(std::memory_order_acquire))
            if (!pause.again()) pause = {};
        items_[written_ % places] = item;
        written_shared_.store(++written_, std::memory_order_release);
    }
    void* pop() {
        for (allot::backoff pause; taken_ == written_seen_;
             written_seen_ = written_shared_.load(std::memory_order_acquire))
            if (!pause.again()) pause = {};
        void* const item = items_[taken_ % places];
        read_.store(++taken_, std::memory_order_release);
        return item;
    }

private:
    static constexpr std::uint64_t places = 1024;
    alignas(64) std::uint64_t written_ = 0, read_seen_ = 0;
    alignas(64) std::uint64_t taken_ = 0, written_seen_ = 0;
    alignas(64) std::atomic<std::uint64_t> written_shared_ = 0;
    alignas(64) std::atomic<std::uint64_t> read_ = 0;
    alignas(64) void* items_[places];
};
std::unique_ptr<ring> between;

// Thread 0 acquires, thread 1 releases.
template <class With>
void prodcons(benchmark::State& state) {
    With& pool = *shared<With>;
    for (auto _ : state) {
        if (state.thread_index() == 0) {
            void* const slot = pool.acquire();
            touch(slot, 1);
            between->push(slot);
        } else {
            pool.release(between->pop());
        }
    }
    allot::bench::note_scaling(state);
}

// The pool's magazines without a count of what was taken, everything else as there: what counting costs.
class uncounted {
public:
    uncounted() {
        for (auto& each : cells_) each.store(&cell_, std::memory_order_relaxed);
        cell_.loaded = &magazine_;
        for (std::uint64_t i = 0; i != 60; ++i) magazine_.items()[i] = &slots_[i];
        magazine_.word = 60;
        magazine_.room = 124;
    }
    void* acquire() {
        allot::detail::magazine* const from = own();
        const std::uint64_t word = from->word.load(std::memory_order_relaxed);
        if (word == 0) [[unlikely]]
            return std::malloc(size);
        void* const slot = from->items()[word - 1];
        from->word.store(word - 1, std::memory_order_relaxed);
        if (!slot) [[unlikely]] // as the pool's
            allot::throw_out_of_memory();
        return slot;
    }
    void release(void* slot) {
        allot::detail::magazine* const to = own();
        const std::uint64_t word = to->word.load(std::memory_order_relaxed);
        if (word == to->room) [[unlikely]]
            return std::free(slot);
        to->items()[word] = slot;
        to->word.store(word + 1, std::memory_order_release);
    }

private:
    allot::detail::magazine* own() const {
        return cells_[allot::detail::thread_slot()]
            .load(std::memory_order_relaxed)
            ->loaded.load(std::memory_order_relaxed);
    }
    std::atomic<allot::detail::magazine_cell*> cells_[allot::detail::thread_slot_count + 1];
    allot::detail::magazine_cell cell_;
    allot::detail::magazine magazine_;
    void* items_[124];
    char slots_[60][size];
};

template <class With>
void add(const std::string& workload, int threads, const std::string& peer, void (*body)(benchmark::State&)) {
    const std::string name =
        "concurrent_pool/" + workload + "/threads:" + std::to_string(threads) + "/" + peer;
    auto* const row = benchmark::RegisterBenchmark(name.c_str(), body)
                          ->Setup([](const benchmark::State&) {
                              shared<With> = std::make_unique<With>();
                              between = std::make_unique<ring>();
                          })
                          ->Teardown([](const benchmark::State&) { shared<With>.reset(); });
    if (threads != 1) row->Threads(threads)->UseRealTime();
}

template <class With>
void add(const std::string& peer) {
    for (const int threads : {1, 2}) {
        add<With>("lifo1", threads, peer, lifo1<With>);
        add<With>("batch1000", threads, peer, batch1000<With>);
    }
    add<With>("prodcons", 2, peer, prodcons<With>);
}

template <const char* name>
void add_loaded() {
    with_loaded<name>::functions = allot::bench::load_malloc(name);
    if (with_loaded<name>::functions) add<with_loaded<name>>(name);
}

} // namespace

int main(int count, char** words) {
    add_loaded<jemalloc>(); // first: may start the program anew
    add_loaded<tcmalloc>();
    add_loaded<mimalloc>();
    add<with_allot>("allot");
    add<with_malloc>("malloc");
    add<with_pmr>("std sync pool");
    add<with_singleton>("boost singleton");
    add<with_stack>("boost.lockfree");
    add<with_queue>("boost.lockfree queue");
#ifdef ALLOT_HAS_MOODYCAMEL
    add<with_moodycamel>("moodycamel");
#endif
    add<with_allot>("lifo1 counted", 1, "allot", lifo1<with_allot>);
    add<uncounted>("lifo1 counted", 1, "uncounted", lifo1<uncounted>);
    benchmark::Initialize(&count, words);
    benchmark::RunSpecifiedBenchmarks();
}
