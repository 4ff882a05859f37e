// Texts that grow by appends, and texts that are built once, 1000 live at a time.
// Ours counts and checks that a slot lives; it moves through tiers of 16 (or 4) times the size before, where
// a std::string doubles. Unfair to std::pmr::string over a monotonic buffer: it takes fresh memory in each
// round and gives none back before its end. Unfair to ours: std::string has 15 characters within itself.
#include <allot/structure/bounded_string.hpp>

#include <benchmark/benchmark.h>

#include <memory_resource>
#include <string>
#include <vector>

namespace {

constexpr std::size_t text_count = 1000;
constexpr std::string_view piece = "ten bytes ";
constexpr std::string_view whole = "a text of an agent's memory: forty bytes";

struct with_tiers {
    explicit with_tiers(std::span<const allot::size_tier> tiers) : pool({.name = "bench", .tiers = tiers}) {}
    allot::tiered_pool pool;
    using text = allot::bounded_string;
    text make() { return text(pool); }
    static void end() {}
};
struct with_std {
    using text = std::string;
    static text make() { return {}; }
    static void end() {}
};
struct with_pmr {
    std::vector<std::byte> first = std::vector<std::byte>(allot::mebibytes(4));
    std::pmr::monotonic_buffer_resource memory{first.data(), first.size()};
    using text = std::pmr::string;
    text make() { return text(&memory); }
    void end() { memory.release(); }
};

// One text per iteration; all end together when there are text_count. The first round is not counted.
template <class With, class Fill>
void texts_of(benchmark::State& state, With& with, Fill fill) {
    std::vector<typename With::text> texts;
    texts.reserve(text_count);
    const auto step = [&] {
        typename With::text& one = texts.emplace_back(with.make());
        fill(one);
        benchmark::DoNotOptimize(one.data());
        if (texts.size() == text_count) {
            texts.clear();
            with.end();
        }
    };
    for (std::size_t i = 0; i != text_count; ++i) step();
    for (auto _ : state) step();
}

template <class With>
void grow(benchmark::State& state, With& with) { // to 200 bytes
    texts_of(state, with, [](auto& text) {
        for (int i = 0; i != 20; ++i) text.append(piece);
    });
}

template <class With>
void build(benchmark::State& state, With& with) {
    texts_of(state, with, [](auto& text) { text.append(whole); });
}

template <class With>
void add(const std::string& component, const std::string& peer, With& with) {
    benchmark::RegisterBenchmark((component + "/grow by appends/threads:1/" + peer).c_str(),
                                 [&with](benchmark::State& state) { grow(state, with); });
    benchmark::RegisterBenchmark((component + "/build once/threads:1/" + peer).c_str(),
                                 [&with](benchmark::State& state) { build(state, with); });
}

} // namespace

int main(int count, char** words) {
    with_tiers tiers(allot::default_size_tiers);
    with_tiers half_tiers(allot::half_size_tiers);
    with_std strings;
    with_pmr pmr_strings;
    add("bounded_string", "allot", tiers);
    add("bounded_string, half tiers", "allot", half_tiers);
    for (const char* component : {"bounded_string", "bounded_string, half tiers"}) {
        add(component, "std::string", strings);
        add(component, "pmr", pmr_strings);
    }
    benchmark::Initialize(&count, words);
    benchmark::RunSpecifiedBenchmarks();
}
