// A text read into a tree, and a tree written. The peer reads into a tree of its own.
//
// Unfair to the peer: we drop comments and blank texts as it does by default, but have one tree only where a program
// that wants ours would have both. Unfair to us: it checks little of what XML asks (names, characters, UTF-8,
// duplicate attributes, that there is one root), and keeps its texts in the input, of which it gets a copy here.
#include <allot/document/xml.hpp>

#include <allot/structure/arena.hpp>

#include <benchmark/benchmark.h>

#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#if ALLOT_HAS_PUGIXML
#    include <pugixml.hpp>
#endif

namespace {

using namespace allot;

constexpr xml_read_options with_type{.doctype = xml_doctype::skip};

std::string whole(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

void done(benchmark::State& state, const std::string& text) {
    state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations()) *
                            static_cast<std::int64_t>(text.size()));
}

void read_with_allot(benchmark::State& state, const std::string& text) {
    document tree;
    for (auto _ : state) {
        if (!read_xml(tree, text, with_type)) return state.SkipWithError("refused");
        benchmark::DoNotOptimize(tree.root());
    }
    done(state, text);
    if (const auto size = measure(tree.root()))
        state.counters["bytes_a_node"] = static_cast<double>(tree.usage().live_bytes - size->text_bytes) /
                                         static_cast<double>(size->value_count);
}

void read_in_an_arena(benchmark::State& state, const std::string& text) {
    arena memory({.chunk_bytes_min = mebibytes(1), .chunk_bytes_max = mebibytes(4)});
    for (auto _ : state) {
        {
            document tree({.upstream = &memory});
            if (!read_xml(tree, text, with_type)) return state.SkipWithError("refused");
            benchmark::DoNotOptimize(tree.root());
        }
        memory.reset();
    }
    done(state, text);
}

void write_with_allot(benchmark::State& state, const std::string& text) {
    document tree;
    if (!read_xml(tree, text, with_type)) return state.SkipWithError("refused");
    buffer out;
    for (auto _ : state) {
        out.clear();
        if (!write_xml(out, tree.root())) return state.SkipWithError("refused");
        benchmark::DoNotOptimize(out.data());
    }
    done(state, text);
}

#if ALLOT_HAS_PUGIXML
void read_with_pugixml(benchmark::State& state, const std::string& text) {
    std::vector<char> copy(text.size());
    pugi::xml_document tree;
    for (auto _ : state) {
        std::memcpy(copy.data(), text.data(), text.size());
        if (!tree.load_buffer_inplace(copy.data(), copy.size(), pugi::parse_default, pugi::encoding_utf8))
            return state.SkipWithError("refused");
        benchmark::DoNotOptimize(tree.document_element());
    }
    done(state, text);
}

struct string_writer final : pugi::xml_writer {
    std::string text;
    void write(const void* data, std::size_t size) override {
        text.append(static_cast<const char*>(data), size);
    }
};

void write_with_pugixml(benchmark::State& state, const std::string& text) {
    pugi::xml_document tree;
    if (!tree.load_buffer(text.data(), text.size())) return state.SkipWithError("refused");
    string_writer out;
    for (auto _ : state) {
        out.text.clear();
        tree.save(out, "", pugi::format_raw | pugi::format_no_declaration, pugi::encoding_utf8);
        benchmark::DoNotOptimize(out.text.data());
    }
    done(state, text);
}
#endif

void add(const std::string& workload, const std::string& peer,
         void (*run)(benchmark::State&, const std::string&), const std::string& text) {
    benchmark::RegisterBenchmark(("xml/" + workload + "/threads:1/" + peer).c_str(),
                                 [run, text](benchmark::State& state) { run(state, text); });
}

// The larger one comes with shared-mime-info and is skipped where that is not installed.
const bool added = [] {
    const std::string small = whole(ALLOT_BENCH_DATA "/fonts_persian.xml");
    const std::string large = whole("/usr/share/mime/packages/freedesktop.org.xml");
    if (large.empty())
        std::fputs("xml: no /usr/share/mime/packages/freedesktop.org.xml: shared-mime-info\n", stderr);
    for (const auto& [name, text] :
         {std::pair(std::string(), large), std::pair(std::string(" of 10 KB"), small)}) {
        if (text.empty()) continue;
        add("parse to a tree" + name, "allot", read_with_allot, text);
        add("parse to a tree in an arena" + name, "allot", read_in_an_arena, text);
        add("write" + name, "allot", write_with_allot, text);
#if ALLOT_HAS_PUGIXML
        add("parse to a tree" + name, "pugixml", read_with_pugixml, text);
        add("parse to a tree in an arena" + name, "pugixml", read_with_pugixml, text);
        add("write" + name, "pugixml", write_with_pugixml, text);
#endif
    }
    return true;
}();

} // namespace

BENCHMARK_MAIN();
