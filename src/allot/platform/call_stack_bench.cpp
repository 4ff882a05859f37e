// One capture of a stack of 20 frames, from the same call each time, and from two callers in turn, so that the two
// innermost frames are new. Unfair to the peers: they remember nothing of the stack itself (libunwind keeps
// its rules, libgcc nothing), so they unwind every frame each time; that is the point of the cache. Unfair to
// us: we also give each frame a payload.
#include <allot/platform/call_stack.hpp>

#include <benchmark/benchmark.h>

#include <string>

#include <sys/mman.h>
#include <unwind.h>

#ifdef ALLOT_HAS_LIBUNWIND
#    define UNW_LOCAL_ONLY
#    include <libunwind.h>
#endif

namespace {

constexpr std::uint32_t frames = 20;
constexpr int buffer_max = 128;
void* buffer[buffer_max];
volatile int sink;

alignas(64) std::uint64_t table[2 << 12];
allot::unwind_rules rules;
allot::stack_bounds bounds;

allot::stack_cache& cache() {
    static void* pages =
        mmap(nullptr, sizeof(allot::stack_cache), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return *static_cast<allot::stack_cache*>(pages);
}

struct with_allot {
    [[gnu::noinline]] static void hook() {
        allot::stack_cache& mine = cache();
        const allot::captured_stack now = mine.capture(rules, __builtin_frame_address(0), bounds);
        for (std::uint32_t i = now.unchanged; i != now.count; ++i) mine.set_payload(i, i + 1);
        benchmark::DoNotOptimize(mine.payload(now.count - 1));
    }
};
struct with_libgcc {
    static _Unwind_Reason_Code note(_Unwind_Context* context, void* count) {
        int& at = *static_cast<int*>(count);
        if (at == buffer_max) return _URC_END_OF_STACK;
        buffer[at++] = reinterpret_cast<void*>(_Unwind_GetIP(context));
        return _URC_NO_REASON;
    }
    [[gnu::noinline]] static void hook() {
        int count = 0;
        _Unwind_Backtrace(note, &count);
        benchmark::DoNotOptimize(buffer);
    }
};
#ifdef ALLOT_HAS_LIBUNWIND
struct with_libunwind {
    [[gnu::noinline]] static void hook() {
        benchmark::DoNotOptimize(unw_backtrace(buffer, buffer_max));
        benchmark::DoNotOptimize(buffer);
    }
};
#endif

template <class Peer, int Site>
[[gnu::noinline]] void site(int value) {
    Peer::hook();
    sink = value + Site;
}
template <class Peer, int Site>
[[gnu::noinline]] void caller(int value) {
    site<Peer, Site>(value);
    sink = value;
}

// Calls the two in turn from one place: an inner loop of its own, since the framework's is unrolled into two places.
[[gnu::noinline]] void run(benchmark::State& state, void (*even)(int), void (*odd)(int)) {
    void (*const calls[])(int) = {even, odd};
    const benchmark::IterationCount batch = 1000;
    while (state.KeepRunningBatch(batch))
        for (benchmark::IterationCount i = 0; i != batch; ++i) calls[i % 2](1);
    sink = 0;
}
template <class Peer>
void same_site(benchmark::State& state) {
    run(state, caller<Peer, 0>, caller<Peer, 0>);
}
template <class Peer>
void alternating(benchmark::State& state) {
    run(state, caller<Peer, 0>, caller<Peer, 1>);
}

// Recurses until the stack has its depth, whatever the framework's own is.
template <void (*Run)(benchmark::State&)>
[[gnu::noinline]] void at_depth(benchmark::State& state) {
    const std::uint32_t depth = cache().capture(rules, __builtin_frame_address(0), bounds).count;
    if (depth + 3 < frames)
        at_depth<Run>(state); // one more frame each for run, caller and site
    else
        Run(state);
    sink = 0;
}

template <class Peer>
void add(const char* peer) {
    const std::string name(peer);
    benchmark::RegisterBenchmark(("call_stack/same site depth 20/threads:1/" + name).c_str(),
                                 at_depth<same_site<Peer>>);
    benchmark::RegisterBenchmark(("call_stack/alternating sites depth 20/threads:1/" + name).c_str(),
                                 at_depth<alternating<Peer>>);
}

} // namespace

int main(int argc, char** argv) {
    rules.use(table, 1 << 12);
    bounds = allot::current_thread_bounds();
    add<with_allot>("allot");
#ifdef ALLOT_HAS_LIBUNWIND
    unw_set_caching_policy(unw_local_addr_space, UNW_CACHE_PER_THREAD);
    add<with_libunwind>("libunwind");
#endif
    add<with_libgcc>("libgcc");
    benchmark::Initialize(&argc, argv);
    benchmark::RunSpecifiedBenchmarks();
}
