// A copy and a drop of a handle, in a process of several threads (std::shared_ptr counts without atomics in one that
// never had another). Unfair to the peers: cow is for one thread, theirs for all; the row of concurrent_cow compares
// like with like.
#include <allot/source/default_source.hpp>
#include <allot/structure/cow.hpp>

#include <benchmark/benchmark.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>

#if __has_include(<boost/intrusive_ptr.hpp>)
#    include <boost/intrusive_ptr.hpp>
#    include <boost/smart_ptr/intrusive_ref_counter.hpp>
#    define ALLOT_HAS_BOOST 1
#endif

namespace {

template <class Handle>
void copy_and_drop(benchmark::State& state, const Handle& original) {
    for (auto _ : state) {
        Handle copy = original;
        benchmark::DoNotOptimize(&copy);
        benchmark::ClobberMemory();
    }
}

// Copied, written to, which copies the value, and dropped.
template <class Handle, class Write>
void copy_and_write(benchmark::State& state, const Handle& original, Write write) {
    for (auto _ : state) {
        Handle copy = original;
        write(copy);
        benchmark::DoNotOptimize(&copy);
    }
}

struct value {
    int numbers[16] = {};
};
#ifdef ALLOT_HAS_BOOST
struct counted : boost::intrusive_ref_counter<counted>, value {};
#endif

template <class Handle>
void add(const std::string& name, const Handle& original) {
    benchmark::RegisterBenchmark(name.c_str(),
                                 [original](benchmark::State& state) { copy_and_drop(state, original); });
}

} // namespace

int main(int count, char** words) {
    std::thread([] {}).join(); // from here on the process counts as one of several threads
    const auto own = allot::cow<value>::make(allot::default_source());
    const auto shared = allot::concurrent_cow<value>::make(allot::default_source());
    const auto std_shared = std::make_shared<value>();
    add("cow/copy + drop/threads:1/allot", own);
    add("cow/copy + drop/threads:1/std::shared_ptr", std_shared);
    add("concurrent_cow/copy + drop/threads:1/allot", shared);
    add("concurrent_cow/copy + drop/threads:1/std::shared_ptr", std_shared);
#ifdef ALLOT_HAS_BOOST
    const boost::intrusive_ptr<counted> intrusive(new counted);
    add("cow/copy + drop/threads:1/intrusive atomic", intrusive);
    add("concurrent_cow/copy + drop/threads:1/intrusive atomic", intrusive);
#endif
    benchmark::RegisterBenchmark("cow/copy + write/threads:1/allot", [&](benchmark::State& state) {
        copy_and_write(state, own, [](auto& copy) { copy.write().numbers[0] = 1; });
    });
    benchmark::RegisterBenchmark("cow/copy + write/threads:1/std::shared_ptr", [&](benchmark::State& state) {
        copy_and_write(state, std_shared, [](auto& copy) {
            copy = std::make_shared<value>(*copy);
            copy->numbers[0] = 1;
        });
    });
    benchmark::Initialize(&count, words);
    benchmark::RunSpecifiedBenchmarks();
}
