// A text becomes a tree that may be changed, and goes again. "parse to a mutable tree" is the grammar of tree-sitter's
// Python, 143 KB of short keys and texts; "node types" 65 KB of the same; "small message" 250 bytes, as agents send;
// where `bench/data/fetch` has brought them "compat data" (13 MB), what a registry knows of express ("packument 0.6 MB")
// and typescript ("packument 10 MB"), and a "package lock" of 0.2 MB. "write" is the grammar's tree to text.
// All are used again and again, as a program would: readers, pools and ours its interner of keys, too. Each copies the
// text first: RapidJSON in situ must, ours does so itself. Ours builds in an arena that is reset. Unfair to
// RapidJSON: ours knows the keys from the text before. Unfair to ours: RapidJSON's tree points into the copy and dies with
// it, checks no UTF-8, and neither peer looks for duplicate keys but nlohmann, by its map. simdjson's DOM is here for
// information: its tree cannot be changed.
#include <allot/document/json_reader.hpp>
#include <allot/document/json_writer.hpp>
#include <allot/structure/arena.hpp>
#include <allot/structure/interner.hpp>

#include <benchmark/benchmark.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>

#ifdef ALLOT_HAS_NLOHMANN
#    include <nlohmann/json.hpp>
#endif
#ifdef ALLOT_HAS_RAPIDJSON
#    include <rapidjson/document.h>
#    include <rapidjson/stringbuffer.h>
#    include <rapidjson/writer.h>
#endif
#ifdef ALLOT_HAS_SIMDJSON
#    include <simdjson.h>
#endif

namespace {

std::string content_of(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

void says_rate(benchmark::State& state, const std::string& text) {
    state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations()) *
                            static_cast<std::int64_t>(text.size()));
}

void with_allot(benchmark::State& state, const std::string& text) {
    allot::arena trees({.chunk_bytes_min = allot::mebibytes(1)});
    allot::interner keys;
    allot::json_reader reader;
    for (auto _ : state) {
        {
            allot::document tree({.upstream = &trees, .keys = &keys});
            if (!reader.read(tree, text)) std::abort();
            benchmark::DoNotOptimize(tree.root());
        }
        trees.reset();
    }
    says_rate(state, text);
}

void writes_with_allot(benchmark::State& state, const std::string& text) {
    allot::document tree;
    if (!allot::read_json(tree, text)) std::abort();
    allot::buffer into;
    for (auto _ : state) {
        into.clear();
        if (!allot::write_json(into, tree.root())) std::abort();
        benchmark::DoNotOptimize(into.data());
    }
    says_rate(state, text);
}

#ifdef ALLOT_HAS_NLOHMANN
void with_nlohmann(benchmark::State& state, const std::string& text) {
    std::string copy;
    for (auto _ : state) {
        copy = text;
        auto tree = nlohmann::json::parse(copy);
        benchmark::DoNotOptimize(tree);
    }
    says_rate(state, text);
}

void writes_with_nlohmann(benchmark::State& state, const std::string& text) {
    const auto tree = nlohmann::json::parse(text);
    for (auto _ : state) benchmark::DoNotOptimize(tree.dump().data());
    says_rate(state, text);
}
#endif

#ifdef ALLOT_HAS_RAPIDJSON
void with_rapidjson(benchmark::State& state, const std::string& text) {
    std::string copy;
    rapidjson::MemoryPoolAllocator<> pool(1 << 20);
    for (auto _ : state) {
        copy = text;
        {
            rapidjson::Document tree(&pool);
            if (tree.ParseInsitu(copy.data()).HasParseError()) std::abort();
            benchmark::DoNotOptimize(tree);
        }
        pool.Clear();
    }
    says_rate(state, text);
}

void writes_with_rapidjson(benchmark::State& state, const std::string& text) {
    rapidjson::Document tree;
    if (tree.Parse(text.c_str()).HasParseError()) std::abort();
    rapidjson::StringBuffer into;
    for (auto _ : state) {
        into.Clear();
        rapidjson::Writer<rapidjson::StringBuffer> writer(into);
        tree.Accept(writer);
        benchmark::DoNotOptimize(into.GetString());
    }
    says_rate(state, text);
}
#endif

#ifdef ALLOT_HAS_SIMDJSON
void with_simdjson(benchmark::State& state, const std::string& text) {
    simdjson::dom::parser parser;
    std::string copy;
    copy.reserve(text.size() + simdjson::SIMDJSON_PADDING);
    for (auto _ : state) {
        copy = text;
        if (parser.parse(copy.data(), copy.size(), false).error()) std::abort();
        benchmark::DoNotOptimize(parser.doc.tape.get());
    }
    says_rate(state, text);
}
#endif

using body = void (*)(benchmark::State&, const std::string&);

void add(const std::string& workload, const char* peer, body run, const std::string& text) {
    benchmark::RegisterBenchmark(("json/" + workload + "/threads:1/" + peer).c_str(),
                                 [run, &text](benchmark::State& state) { run(state, text); });
}

void add_parsers(const std::string& workload, const std::string& text) {
    if (allot::has_json()) add(workload, "allot", with_allot, text);
#ifdef ALLOT_HAS_RAPIDJSON
    add(workload, "rapidjson", with_rapidjson, text);
#endif
#ifdef ALLOT_HAS_NLOHMANN
    add(workload, "nlohmann", with_nlohmann, text);
#endif
#ifdef ALLOT_HAS_SIMDJSON
    add(workload, "simdjson (read only)", with_simdjson, text);
#endif
}

} // namespace

int main(int argc, char** argv) {
    const std::string folder = ALLOT_BENCH_DATA;
    const std::string grammar = content_of(folder + "/tree_sitter_python_grammar.json");
    const std::string types = content_of(folder + "/tree_sitter_python_node_types.json");
    if (grammar.empty() || types.empty()) {
        std::fprintf(stderr, "json_bench: the documents in %s cannot be read\n", folder.c_str());
        return 1;
    }
    const std::string message =
        R"({"id":"msg_0017","role":"assistant","content":[{"type":"text","text":"Reading the header first."},)"
        R"({"type":"tool_use","id":"call_3","name":"read_file","input":{"path":"src/main.cpp","from":1,"to":80}}],)"
        R"("usage":{"input":1532,"output":87}})";
    struct {
        const char* workload;
        const char* file;
        std::string text = {};
    } fetched[] = {{"package lock", "package_lock.json"},
                   {"packument 0.6 MB", "express.json"},
                   {"packument 10 MB", "typescript.json"},
                   {"compat data", "browser_compat_data.json"}};
    add_parsers("parse to a mutable tree", grammar);
    add_parsers("node types", types);
    add_parsers("small message", message);
    const char* const cache = std::getenv("ALLOT_BENCH_CACHE");
    for (auto& each : fetched) {
        if (cache) each.text = content_of(std::string(cache) + '/' + each.file);
        if (!each.text.empty())
            add_parsers(each.workload, each.text);
        else
            std::fprintf(stderr, "json_bench: \"%s\" is left out: bench/data/fetch brings it\n",
                         each.workload);
    }
    if (allot::has_json()) add("write", "allot", writes_with_allot, grammar);
#ifdef ALLOT_HAS_RAPIDJSON
    add("write", "rapidjson", writes_with_rapidjson, grammar);
#endif
#ifdef ALLOT_HAS_NLOHMANN
    add("write", "nlohmann", writes_with_nlohmann, grammar);
#endif
    benchmark::Initialize(&argc, argv);
    benchmark::RunSpecifiedBenchmarks();
}
