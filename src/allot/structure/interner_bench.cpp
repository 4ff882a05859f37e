// The first 1.5 million identifiers of Python's standard library and of /usr/include, in the order of files
// and bytes, about 71,000 of them distinct: all interned into something new (build), all again (hit), by
// thousands (intern_many), and their texts asked for (live resolve). Per text.
// Ours is concurrent_interner, except where the workload says "one thread": then interner.
// `absl` is what one writes for several threads: 64 maps, each behind a mutex. llvm::StringMap is for one
// thread, and stands in `hit` against ours for many. Unfair to us: no peer counts its hits, has a limit or
// gives the text for a number; `tbb` in live resolve is a concurrent_vector of views beside the map.
#include <allot/structure/concurrent_interner.hpp>
#include <allot/structure/interner.hpp>
#include <support/scaling.hpp>

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#ifdef ALLOT_HAS_ABSL
#    include <absl/container/flat_hash_map.h>
#    include <absl/hash/hash.h>
#endif
#ifdef ALLOT_HAS_LLVM
#    include <llvm/ADT/StringMap.h>
#endif
#ifdef ALLOT_HAS_TBB
#    include <tbb/concurrent_hash_map.h>
#    include <tbb/concurrent_vector.h>
#endif
#pragma GCC diagnostic pop

namespace {

constexpr std::size_t text_count_max = 1'500'000;

std::vector<std::filesystem::path> files_below(const std::filesystem::path& root,
                                               const std::set<std::string>& ends) {
    std::vector<std::filesystem::path> files;
    std::error_code failure;
    for (const auto& each : std::filesystem::recursive_directory_iterator(root, failure))
        if (ends.contains(each.path().extension().string()) && each.is_regular_file(failure))
            files.push_back(each.path());
    std::sort(files.begin(), files.end());
    return files;
}

struct input {
    std::vector<std::string> files; // which the texts are parts of
    std::vector<std::string_view> texts;
};

void add_identifiers(const std::string& content, std::vector<std::string_view>& into) {
    const auto is_part = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; };
    for (std::size_t at = 0; at != content.size() && into.size() != text_count_max;) {
        std::size_t end = at;
        while (end != content.size() && is_part(content[end])) ++end;
        if (end != at && !std::isdigit(static_cast<unsigned char>(content[at])))
            into.emplace_back(content.data() + at, end - at);
        at = end == content.size() ? end : end + 1;
    }
}

const input& all() {
    static const input made = [] {
        input read;
        std::vector<std::filesystem::path> paths;
        std::error_code failure;
        for (const auto& root : std::filesystem::directory_iterator("/usr/lib", failure))
            if (root.path().filename().string().starts_with("python3."))
                for (auto& each : files_below(root.path(), {".py"})) paths.push_back(std::move(each));
        std::sort(paths.begin(), paths.end());
        for (auto& each : files_below("/usr/include", {"", ".h", ".hpp"})) paths.push_back(std::move(each));
        read.files.reserve(paths.size());
        for (const std::filesystem::path& path : paths) {
            std::ifstream file(path, std::ios::binary);
            read.files.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
            add_identifiers(read.files.back(), read.texts);
            if (read.texts.size() == text_count_max) break;
        }
        return read;
    }();
    return made;
}

struct with_allot {
    std::uint32_t intern(std::string_view text) { return names.intern(text).value(); }
    std::string_view text(std::uint32_t value) { return names.resolve(allot::symbol::from_value(value)); }
    allot::concurrent_interner names;
};

struct with_allot_of_one {
    std::uint32_t intern(std::string_view text) { return names.intern(text).value(); }
    allot::interner names;
};

#ifdef ALLOT_HAS_ABSL
struct with_absl {
    struct alignas(64) stripe {
        std::mutex mutex;
        absl::flat_hash_map<std::string, std::uint32_t> map;
    };
    std::uint32_t intern(std::string_view text) {
        const absl::string_view key(text.data(), text.size());
        const std::size_t hash = absl::Hash<absl::string_view>()(key);
        stripe& own = stripes[hash >> 58];
        const std::lock_guard hold(own.mutex);
        if (const auto found = own.map.find(key, hash); found != own.map.end()) return found->second;
        return own.map.emplace(std::string(text), next.fetch_add(1, std::memory_order_relaxed) + 1)
            .first->second;
    }
    std::unique_ptr<stripe[]> stripes = std::make_unique<stripe[]>(64);
    std::atomic<std::uint32_t> next = 0;
};
#endif

#ifdef ALLOT_HAS_LLVM
struct with_llvm {
    std::uint32_t intern(std::string_view text) {
        return map.try_emplace(llvm::StringRef(text.data(), text.size()), map.size() + 1).first->second;
    }
    llvm::StringMap<std::uint32_t> map;
};
#endif

#ifdef ALLOT_HAS_TBB
struct with_tbb {
    std::uint32_t intern(std::string_view text) {
        const std::string key(text);
        {
            typename decltype(map)::const_accessor found;
            if (map.find(found, key)) return found->second;
        }
        typename decltype(map)::accessor made;
        if (map.insert(made, key)) {
            made->second = static_cast<std::uint32_t>(texts.push_back(made->first) - texts.begin()) + 1;
        }
        return made->second;
    }
    std::string_view text(std::uint32_t value) { return texts[value - 1]; }
    tbb::concurrent_hash_map<std::string, std::uint32_t> map;
    tbb::concurrent_vector<std::string_view> texts;
};
#endif

// Texts as long as the whole input, per iteration one.
template <class With>
void build(benchmark::State& state) {
    const auto& texts = all().texts;
    auto table = std::make_unique<With>();
    std::size_t at = 0;
    for (auto _ : state) {
        benchmark::DoNotOptimize(table->intern(texts[at]));
        if (++at == texts.size()) {
            at = 0;
            table = std::make_unique<With>();
        }
    }
}

template <class With>
With& full() {
    static With& table = *[] {
        auto* const made = new With; // for all threads, to the end of the process
        for (const std::string_view text : all().texts) made->intern(text);
        return made;
    }();
    return table;
}

template <class With>
void hit(benchmark::State& state) {
    const auto& texts = all().texts;
    With& table = full<With>();
    std::size_t at = texts.size() / 2 * static_cast<std::size_t>(state.thread_index());
    for (auto _ : state) {
        benchmark::DoNotOptimize(table.intern(texts[at]));
        if (++at == texts.size()) at = 0;
    }
    allot::bench::note_scaling(state);
}

// By thousands; per thousand.
template <class With>
void many(benchmark::State& state) {
    const auto& texts = all().texts;
    With& table = full<With>();
    std::size_t at = 0;
    std::vector<allot::symbol> symbols(1000);
    for (auto _ : state) {
        if (texts.size() - at < 1000) at = 0;
        const auto group = std::span(texts).subspan(at, 1000);
        if constexpr (requires { table.names; }) {
            benchmark::DoNotOptimize(table.names.intern_many(group, symbols));
        } else {
            for (std::size_t i = 0; i != 1000; ++i)
                symbols[i] = allot::symbol::from_value(table.intern(group[i]));
        }
        benchmark::DoNotOptimize(symbols.data());
        at += 1000;
    }
}

// In the order of the input: the size and first byte of each.
template <class With>
void resolve(benchmark::State& state) {
    With& table = full<With>();
    std::vector<std::uint32_t> values;
    for (const std::string_view text : all().texts) values.push_back(table.intern(text));
    std::size_t at = 0;
    for (auto _ : state) {
        const std::string_view text = table.text(values[at]);
        benchmark::DoNotOptimize(text.data());
        benchmark::DoNotOptimize(text.size());
        if (++at == values.size()) at = 0;
    }
}

template <class With>
void add(const std::string& peer, bool is_for_threads) {
    const auto name = [&](const char* workload) { return std::string("interner/") + workload; };
    benchmark::RegisterBenchmark((name("build/threads:1/") + peer).c_str(), build<With>);
    benchmark::RegisterBenchmark((name("hit/threads:1/") + peer).c_str(), hit<With>);
    if (is_for_threads)
        benchmark::RegisterBenchmark((name("hit/threads:2/") + peer).c_str(), hit<With>)
            ->Threads(2)
            ->UseRealTime();
    benchmark::RegisterBenchmark((name("intern_many/threads:1/") + peer).c_str(), many<With>);
}

} // namespace

int main(int count, char** words) {
    if (all().texts.size() < text_count_max) {
        std::fputs("interner: fewer than 1.5 million identifiers in /usr/lib/python3.* and /usr/include\n",
                   stderr);
    }
    if (all().texts.size() < 300'000) return 0;
    add<with_allot>("allot", true);
    benchmark::RegisterBenchmark("interner/hit, one thread/threads:1/allot", hit<with_allot_of_one>);
    benchmark::RegisterBenchmark("interner/build, one thread/threads:1/allot", build<with_allot_of_one>);
    benchmark::RegisterBenchmark("interner/live resolve/threads:1/allot", resolve<with_allot>);
#ifdef ALLOT_HAS_ABSL
    add<with_absl>("absl", true);
#endif
#ifdef ALLOT_HAS_LLVM
    add<with_llvm>("llvm", false);
    benchmark::RegisterBenchmark("interner/hit, one thread/threads:1/llvm", hit<with_llvm>);
    benchmark::RegisterBenchmark("interner/build, one thread/threads:1/llvm", build<with_llvm>);
#endif
#ifdef ALLOT_HAS_TBB
    add<with_tbb>("tbb", true);
    benchmark::RegisterBenchmark("interner/live resolve/threads:1/tbb", resolve<with_tbb>);
#endif
    benchmark::Initialize(&count, words);
    benchmark::RunSpecifiedBenchmarks();
}
