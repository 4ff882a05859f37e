// 10,000 texts like the paths of a source tree (20 to 90 bytes; seeded), one question to all of them: which contain,
// which are equal, how many of a character. Time is for all 10,000.
// `allot` asks a text_batch, `views` asks std::string_views of the same texts that lie scattered in strings.
// The scalar peers are loops of std over those strings; `std::count` is what the compiler makes of it at -O3.
// `scattered`: texts of 4,096 bytes apart, more than the second cache holds, in random order; eight bytes of each are
// read: with the texts fetched 8 items ahead, with the items fetched ahead, and without.
#include <allot/structure/simd_prefetch.hpp>
#include <allot/structure/simd_text.hpp>

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

namespace {

constexpr std::size_t text_count = 10'000;

struct corpus {
    std::vector<std::string> strings;
    std::vector<std::string_view> views;
    allot::text_batch batch;
    std::unique_ptr<bool[]> hits = std::make_unique<bool[]>(text_count);
    std::vector<std::uint32_t> counts = std::vector<std::uint32_t>(text_count);

    corpus() {
        static constexpr const char* words[] = {"src",       "include", "lib",  "core",   "memory",
                                                "source",    "test",    "main", "buffer", "pool",
                                                "structure", "index",   "util", "data",   "node"};
        std::mt19937 random(42);
        for (std::size_t i = 0; i != text_count; ++i) {
            std::string path;
            const std::size_t length = 20 + random() % 60;
            while (path.size() < length) path.append("/").append(words[random() % 15]);
            strings.push_back(path.append(random() % 10 == 0 ? "/needle.hpp" : ".cpp"));
        }
        for (const std::string& each : strings) views.push_back(each), batch.push_back(each);
    }
    std::span<bool> all_hits() { return {hits.get(), text_count}; }
    static corpus& shared() {
        static corpus one;
        return one;
    }
};

template <class Ask>
void run(benchmark::State& state, Ask ask) {
    corpus& texts = corpus::shared();
    for (auto _ : state) {
        benchmark::DoNotOptimize(ask(texts));
        benchmark::ClobberMemory();
    }
}

template <class Ask>
std::uint64_t each_string(corpus& texts, Ask ask) {
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i != text_count; ++i)
        sum += texts.hits[i] = ask(std::string_view(texts.strings[i]));
    return sum;
}

template <class Ask>
void add(const std::string& workload, const char* peer, Ask ask) {
    benchmark::RegisterBenchmark(("simd/" + workload + " over 10,000 strings/threads:1/" + peer).c_str(),
                                 [ask](benchmark::State& state) { run(state, ask); });
}

// Byte by byte, as a loop reads that no compiler turned into vectors.
[[gnu::optimize("no-tree-vectorize")]] std::uint32_t count_bytes(std::string_view text, char wanted) {
    std::uint32_t sum = 0;
    for (const char each : text) sum += each == wanted;
    return sum;
}
[[gnu::optimize("no-tree-vectorize")]] bool equal_bytes(std::string_view a, std::string_view b) {
    if (a.size() != b.size()) return false;
    for (std::size_t i = 0; i != a.size(); ++i)
        if (a[i] != b[i]) return false;
    return true;
}

void add_texts() {
    constexpr std::string_view pattern = "needle";
    add("contains", "allot",
        [=](corpus& of) { return allot::simd_contains_each(of.batch, pattern, of.all_hits()); });
    add("contains", "views",
        [=](corpus& of) { return allot::simd_contains_each(of.views, pattern, of.all_hits()); });
    add("contains", "std::string_view::find", [=](corpus& of) {
        return each_string(of, [&](std::string_view text) { return text.find(pattern) != text.npos; });
    });
    const std::string_view wanted = corpus::shared().views[4711];
    add("match", "allot",
        [=](corpus& of) { return allot::simd_match_each(of.batch, wanted, of.all_hits()); });
    add("match", "views",
        [=](corpus& of) { return allot::simd_match_each(of.views, wanted, of.all_hits()); });
    add("match", "std::string_view",
        [=](corpus& of) { return each_string(of, [&](std::string_view text) { return text == wanted; }); });
    add("match", "scalar", [=](corpus& of) {
        return each_string(of, [&](std::string_view text) { return equal_bytes(text, wanted); });
    });
    static const std::vector<std::string_view> either(corpus::shared().views.begin() + 4711,
                                                      corpus::shared().views.begin() + 4719);
    add("match any of 8", "allot",
        [](corpus& of) { return allot::simd_match_any_each(of.batch, either, of.all_hits()); });
    add("match any of 8", "std::find", [](corpus& of) {
        return each_string(
            of, [&](std::string_view text) { return std::ranges::find(either, text) != either.end(); });
    });
    static const std::unordered_set<std::string_view> table(either.begin(), either.end());
    add("match any of 8", "std::unordered_set", [](corpus& of) {
        return each_string(of, [&](std::string_view text) { return table.contains(text); });
    });
    add("count", "allot", [](corpus& of) { return allot::simd_count_each(of.batch, '/', of.counts); });
    add("count", "views", [](corpus& of) { return allot::simd_count_each(of.views, '/', of.counts); });
    add("count", "std::count", [](corpus& of) {
        std::uint64_t sum = 0;
        for (std::size_t i = 0; i != text_count; ++i)
            sum += of.counts[i] = static_cast<std::uint32_t>(std::ranges::count(of.strings[i], '/'));
        return sum;
    });
    add("count", "scalar", [](corpus& of) {
        std::uint64_t sum = 0;
        for (std::size_t i = 0; i != text_count; ++i) sum += of.counts[i] = count_bytes(of.strings[i], '/');
        return sum;
    });
}

// 64 MiB of texts, and their places in random order.
struct scattered {
    std::vector<char> bytes = std::vector<char>(std::size_t{64} << 20, 'x');
    std::vector<const char*> places;
    scattered() {
        for (std::size_t at = 0; at < bytes.size(); at += 4096 + 64) places.push_back(bytes.data() + at);
        std::ranges::shuffle(places, std::mt19937(7));
    }
    static scattered& shared() {
        static scattered one;
        return one;
    }
};

// Some work that waits for the text: what a loop does that looks at each one.
std::uint64_t look_at(const char* text, std::uint64_t sum) {
    std::uint64_t word = 0;
    std::memcpy(&word, text, sizeof word);
    word ^= sum;
    for (int i = 0; i != 8; ++i) word = word * 0x9E37'79B9'7F4A'7C15 ^ word >> 29;
    return word;
}

template <class TargetOf>
void ahead(benchmark::State& state, TargetOf target_of, std::size_t distance) {
    const std::span<const char* const> places(scattered::shared().places);
    std::uint64_t sum = 0;
    for (auto _ : state)
        allot::for_each_ahead(places, target_of, [&](const char* text) { sum = look_at(text, sum); },
                              {.distance = distance});
    benchmark::DoNotOptimize(sum);
}

void add_ahead() {
    const auto text = [](const char* const& place) { return place; };
    const auto item = [](const char* const& place) { return &place; };
    const auto row = [](const std::string& peer) { return "simd/scattered texts ahead/threads:1/" + peer; };
    benchmark::RegisterBenchmark(row("allot").c_str(),
                                 [=](benchmark::State& state) { ahead(state, text, 8); });
    for (const std::size_t distance : {1, 2, 4, 16, 32})
        benchmark::RegisterBenchmark(row("distance " + std::to_string(distance)).c_str(),
                                     [=](benchmark::State& state) { ahead(state, text, distance); });
    benchmark::RegisterBenchmark(row("item ahead").c_str(),
                                 [=](benchmark::State& state) { ahead(state, item, 8); });
    benchmark::RegisterBenchmark(row("none").c_str(), [=](benchmark::State& state) {
        ahead(state, text, static_cast<std::size_t>(-1));
    });
}

} // namespace

int main(int count, char** words) {
    add_texts();
    add_ahead();
    benchmark::Initialize(&count, words);
    benchmark::AddCustomContext("simd_target", allot::simd_target());
    benchmark::RunSpecifiedBenchmarks();
}
