// 100,000 live values of 32 bytes: look-ups in random order, a random one replaced, all of them gone through,
// also after a random half was erased. `hand index+generation` is what one writes for the case: a vector of value, generation
// and next free slot; it moves its values when it grows, counts nothing and cannot give memory back. Unfair
// to plf::colony: a pointer or iterator is what it has for a handle, so that its look-up checks nothing (get
// has no row of it), and its erase must find the group.
#include <allot/structure/slot_map.hpp>

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#if __has_include(<plf_colony.h>)
#    pragma GCC diagnostic push
#    pragma GCC diagnostic ignored "-Wconversion"
#    pragma GCC diagnostic ignored "-Wextra"
#    include <plf_colony.h>
#    pragma GCC diagnostic pop
#    define ALLOT_HAS_COLONY 1
#endif

namespace {

constexpr std::size_t count = 100'000;

struct value {
    std::uint64_t words[4];
};

struct with_allot {
    using handle = allot::slot_handle<value>;
    handle insert(std::uint64_t first) { return values.emplace(first); }
    void erase(handle gone) { values.erase(gone); }
    const value* get(handle wanted) { return values.get(wanted); }
    template <class Function>
    void each(Function function) {
        for (const value& one : values) function(one);
    }
    allot::slot_map<value> values;
};
struct with_allot_for_each : with_allot {
    template <class Function>
    void each(Function function) {
        values.for_each([&](const value& one) { function(one); });
    }
};

struct with_hand {
    struct handle {
        std::uint32_t index, generation;
    };
    struct slot {
        value held;
        std::uint32_t generation = 0; // odd: lives
        std::uint32_t next_free = 0;
    };
    handle insert(std::uint64_t first) {
        std::uint32_t at = free;
        if (at == none) {
            at = static_cast<std::uint32_t>(slots.size());
            slots.emplace_back();
        } else {
            free = slots[at].next_free;
        }
        slots[at].held = {{first}};
        return {at, ++slots[at].generation};
    }
    void erase(handle gone) {
        if (!get(gone)) return;
        ++slots[gone.index].generation;
        slots[gone.index].next_free = free;
        free = gone.index;
    }
    const value* get(handle wanted) {
        if (wanted.index >= slots.size()) return nullptr;
        slot& found = slots[wanted.index];
        return found.generation == wanted.generation ? &found.held : nullptr;
    }
    template <class Function>
    void each(Function function) {
        for (const slot& one : slots)
            if (one.generation % 2 == 1) function(one.held);
    }
    static constexpr std::uint32_t none = static_cast<std::uint32_t>(-1);
    std::vector<slot> slots;
    std::uint32_t free = none;
};

#ifdef ALLOT_HAS_COLONY
struct with_colony {
    using handle = plf::colony<value>::iterator;
    handle insert(std::uint64_t first) { return values.insert(value{{first}}); }
    void erase(handle gone) { values.erase(gone); }
    const value* get(handle wanted) { return &*wanted; }
    template <class Function>
    void each(Function function) {
        for (const value& one : values) function(one);
    }
    plf::colony<value> values;
};
#endif

template <class With>
std::vector<typename With::handle> fill(With& with) {
    std::vector<typename With::handle> all;
    for (std::size_t i = 0; i != count; ++i) all.push_back(with.insert(i));
    std::mt19937 random(1);
    std::ranges::shuffle(all, random);
    return all;
}

template <class With>
void get(benchmark::State& state) {
    With with;
    const auto all = fill(with);
    std::size_t at = 0;
    std::uint64_t sum = 0;
    for (auto _ : state) {
        if (const value* const found = with.get(all[at])) sum += found->words[0];
        if (++at == count) at = 0;
    }
    benchmark::DoNotOptimize(sum);
}

template <class With>
void churn(benchmark::State& state) {
    With with;
    auto all = fill(with);
    std::uint64_t random = 88172645463325252;
    for (auto _ : state) {
        random ^= random << 13; // Marsaglia's xorshift
        random ^= random >> 7;
        random ^= random << 17;
        auto& victim = all[static_cast<std::size_t>((random >> 32) * count >> 32)];
        with.erase(victim);
        benchmark::ClobberMemory(); // no compiler sees through both
        victim = with.insert(random);
    }
}

// One iteration is one value.
template <class With>
void iterate(benchmark::State& state, std::size_t erased) {
    With with;
    const auto all = fill(with);
    for (std::size_t i = 0; i != erased; ++i) with.erase(all[i]);
    const std::size_t left = count - erased;
    std::uint64_t sum = 0;
    while (state.KeepRunningBatch(static_cast<benchmark::IterationCount>(left)))
        with.each([&](const value& one) { sum += one.words[0]; });
    benchmark::DoNotOptimize(sum);
}

template <class With>
void add(const std::string& peer) {
    const auto name = [&](const char* workload) {
        return std::string("slot_map/") + workload + "/threads:1/" + peer;
    };
    benchmark::RegisterBenchmark(name("get").c_str(), get<With>);
    benchmark::RegisterBenchmark(name("churn").c_str(), churn<With>);
    benchmark::RegisterBenchmark(name("iterate full").c_str(), iterate<With>, 0);
    benchmark::RegisterBenchmark(name("iterate half erased").c_str(), iterate<With>, count / 2);
}

} // namespace

int main(int argument_count, char** words) {
    add<with_allot>("allot");
    benchmark::RegisterBenchmark("slot_map/for_each full/threads:1/allot", iterate<with_allot_for_each>, 0);
    benchmark::RegisterBenchmark("slot_map/for_each half erased/threads:1/allot",
                                 iterate<with_allot_for_each>, count / 2);
    add<with_hand>("hand index+generation");
#ifdef ALLOT_HAS_COLONY
    benchmark::RegisterBenchmark("slot_map/for_each full/threads:1/plf::colony", iterate<with_colony>, 0);
    benchmark::RegisterBenchmark("slot_map/for_each half erased/threads:1/plf::colony", iterate<with_colony>,
                                 count / 2);
    add<with_colony>("plf::colony");
#endif
    benchmark::Initialize(&argument_count, words);
    benchmark::RunSpecifiedBenchmarks();
}
