// Looking up "/versions/3.21.1/dist/tarball" in what a registry knows of express, where bench/data/fetch has brought it;
// else in a document of that shape, 280 versions of 20 members, made here. The path is read as text each time ("path look-up"), or was compiled or parsed before ("compiled path").
// Fair to all: the same text of the same document, everything in the cache. RapidJSON and nlohmann copy the pointer's
// names when they read it; RapidJSON's objects are vectors, nlohmann's maps.
#include <allot/document/compiled_path.hpp>
#include <allot/document/json_pointer.hpp>
#include <allot/document/json_reader.hpp>
#include <allot/document/json_writer.hpp>
#include <allot/document/path_access.hpp>

#include <benchmark/benchmark.h>
#ifdef ALLOT_HAS_NLOHMANN
#    include <nlohmann/json.hpp>
#endif
#ifdef ALLOT_HAS_RAPIDJSON
#    include <rapidjson/document.h>
#    include <rapidjson/pointer.h>
#endif

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace {

using allot::content;
using allot::document;
using allot::value;

constexpr const char* pointer = "/versions/3.21.1/dist/tarball";
constexpr const char* dotted = R"(versions["3.21.1"].dist.tarball)";
constexpr std::string_view answer = "/express-3.21.1.tgz"; // ends so

std::vector<std::string> version_names() {
    std::vector<std::string> names;
    for (int major = 0; major != 5; ++major)
        for (int minor = 0; names.size() != static_cast<std::size_t>(major + 1) * 56; ++minor)
            for (int patch = 0; patch != 3 && names.size() != static_cast<std::size_t>(major + 1) * 56;
                 ++patch)
                names.push_back(std::to_string(major) + '.' + std::to_string(minor + (major == 3 ? 8 : 0)) +
                                '.' + std::to_string(patch));
    return names;
}

constexpr const char* members_before[] = {"_id", "_rev", "name", "description", "dist-tags"};
constexpr const char* members_behind[] = {"maintainers", "time",     "author",   "repository",   "users",
                                          "readme",      "homepage", "keywords", "contributors", "bugs"};
constexpr const char* of_version[] = {
    "name",     "description", "version",     "author",   "contributors", "dependencies", "devDependencies",
    "keywords", "repository",  "main",        "bin",      "scripts",      "engines",      "_id",
    "dist",     "_from",       "_npmVersion", "_npmUser", "maintainers",  "directories"};
constexpr const char* of_dist[] = {"shasum", "tarball", "integrity", "signatures"};

document packument() {
    document made({.name = "packument"});
    bool fine = made.set_root(content::object());
    allot::node root = made.edit();
    for (const char* name : members_before) fine = fine && root.set(name, name);
    fine = fine && root.set("versions", content::object());
    for (const char* name : members_behind) fine = fine && root.set(name, name);
    for (const std::string& version : version_names()) {
        fine = fine && root.edit("versions").set(version, content::object());
        allot::node one = root.edit("versions").edit(version);
        for (const char* name : of_version)
            fine =
                fine && one.set(name, std::string_view(name) == "dist" ? content::object() : content(name));
        const std::string tarball = "https://registry.example/express/-/express-" + version + ".tgz";
        for (const char* name : of_dist)
            fine = fine && one.edit("dist").set(
                               name, std::string_view(name) == "tarball" ? std::string_view(tarball) : name);
    }
    if (!fine) std::abort();
    return made;
}

// As fetched, or made here.
document fetched_or_made() {
    const char* const cache = std::getenv("ALLOT_BENCH_CACHE");
    if (!cache) return packument();
    std::ifstream file(std::string(cache) + "/express.json", std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    document read({.name = "packument"});
    if (text.empty() || !allot::read_json(read, text)) return packument();
    return read;
}

const document& example() {
    static const document made = fetched_or_made();
    return made;
}

void expect_answer(std::string_view found) {
    if (!found.ends_with(answer)) std::abort();
}

void look_up(benchmark::State& state) {
    const value root = example().root();
    expect_answer(allot::value_at(root, allot::json_pointer(pointer)).as_text());
    for (auto _ : state) {
        const char* text = pointer;
        benchmark::DoNotOptimize(text);
        benchmark::DoNotOptimize(allot::value_at(root, allot::json_pointer(text)).as_text());
    }
}
BENCHMARK(look_up)->Name("json/path look-up/threads:1/allot");

void look_up_dotted(benchmark::State& state) {
    const value root = example().root();
    expect_answer(allot::value_at(root, dotted).as_text());
    for (auto _ : state) {
        const char* text = dotted;
        benchmark::DoNotOptimize(text);
        benchmark::DoNotOptimize(allot::value_at(root, text).as_text());
    }
}
BENCHMARK(look_up_dotted)->Name("json/dotted path look-up/threads:1/allot");

void compiled(benchmark::State& state) {
    static document made = fetched_or_made();
    const value root = made.root();
    const allot::result<allot::compiled_path> way = allot::compiled_path::make(dotted, made);
    expect_answer(allot::value_at(root, *way).as_text());
    for (auto _ : state) {
        const allot::compiled_path* from = &*way;
        benchmark::DoNotOptimize(from);
        benchmark::DoNotOptimize(allot::value_at(root, *from).as_text());
    }
}
BENCHMARK(compiled)->Name("json/compiled path/threads:1/allot");

#if defined(ALLOT_HAS_NLOHMANN) || defined(ALLOT_HAS_RAPIDJSON)
const std::string& example_text() {
    static const std::string made = [] {
        allot::buffer text;
        if (!allot::write_json(text, example().root())) std::abort();
        return std::string(text.text());
    }();
    return made;
}
#endif

#ifdef ALLOT_HAS_NLOHMANN
const nlohmann::json& nlohmann_example() {
    static const nlohmann::json made = nlohmann::json::parse(example_text());
    return made;
}

void nlohmann_look_up(benchmark::State& state) {
    const nlohmann::json& root = nlohmann_example();
    expect_answer(root.at(nlohmann::json::json_pointer(pointer)).get_ref<const std::string&>());
    for (auto _ : state) {
        const char* text = pointer;
        benchmark::DoNotOptimize(text);
        benchmark::DoNotOptimize(&root.at(nlohmann::json::json_pointer(text)).get_ref<const std::string&>());
    }
}
BENCHMARK(nlohmann_look_up)->Name("json/path look-up/threads:1/nlohmann");

void nlohmann_parsed(benchmark::State& state) {
    const nlohmann::json& root = nlohmann_example();
    const nlohmann::json::json_pointer way(pointer);
    for (auto _ : state) {
        const nlohmann::json::json_pointer* from = &way;
        benchmark::DoNotOptimize(from);
        benchmark::DoNotOptimize(&root.at(*from).get_ref<const std::string&>());
    }
}
BENCHMARK(nlohmann_parsed)->Name("json/compiled path/threads:1/nlohmann");
#endif

#ifdef ALLOT_HAS_RAPIDJSON
const rapidjson::Document& rapidjson_example() {
    static const rapidjson::Document made = [] {
        rapidjson::Document parsed;
        parsed.Parse(example_text().c_str());
        return parsed;
    }();
    return made;
}

void rapidjson_look_up(benchmark::State& state) {
    const rapidjson::Document& root = rapidjson_example();
    expect_answer(rapidjson::Pointer(pointer).Get(root)->GetString());
    for (auto _ : state) {
        const char* text = pointer;
        benchmark::DoNotOptimize(text);
        benchmark::DoNotOptimize(rapidjson::Pointer(text).Get(root)->GetString());
    }
}
BENCHMARK(rapidjson_look_up)->Name("json/path look-up/threads:1/rapidjson");

void rapidjson_parsed(benchmark::State& state) {
    const rapidjson::Document& root = rapidjson_example();
    const rapidjson::Pointer way(pointer);
    for (auto _ : state) {
        const rapidjson::Pointer* from = &way;
        benchmark::DoNotOptimize(from);
        benchmark::DoNotOptimize(from->Get(root)->GetString());
    }
}
BENCHMARK(rapidjson_parsed)->Name("json/compiled path/threads:1/rapidjson");
#endif

} // namespace

BENCHMARK_MAIN();
