// "edit": a tree of 4,400 values, the grammar of tree-sitter's Python, is changed and changed back: a member of three
// values and eight texts comes, a member of some size is copied, an array's first item comes and goes, a number is set,
// both members go. Keys are found by their text each time. Each peer has its memory from malloc and gives it back:
// RapidJSON's own pool would keep what is erased until the document ends. "edit bounded": in a bounded_document's pools.
// nlohmann's objects are maps, RapidJSON's are vectors that are searched; ours find keys by an index.
#include <allot/document/bounded_document.hpp>
#include <allot/document/json_reader.hpp>

#include <benchmark/benchmark.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

#ifdef ALLOT_HAS_NLOHMANN
#    include <nlohmann/json.hpp>
#endif
#ifdef ALLOT_HAS_RAPIDJSON
#    include <rapidjson/document.h>
#endif

namespace {

constexpr const char* copied = "function_definition";
constexpr const char* text = "a text of a block";

const std::string& grammar() {
    static const std::string read = [] {
        std::ifstream file(ALLOT_BENCH_DATA "/tree_sitter_python_grammar.json", std::ios::binary);
        return std::string(std::istreambuf_iterator<char>(file), {});
    }();
    return read;
}

void need(bool fine) {
    if (!fine) std::abort();
}

void edit(allot::document& tree, std::int64_t number) {
    using allot::content;
    allot::node root = tree.edit();
    allot::node rules = root.edit("rules");
    need(rules.set("added", content::object()));
    allot::node added = rules.edit("added");
    need(added.set("type", text) && added.set("number", number) && added.set("members", content::array()));
    allot::node members = added.edit("members");
    for (int i = 0; i != 8; ++i) need(members.push_back(text));
    need(rules.set("copied", rules.find(copied)));
    allot::node extras = root.edit("extras");
    need(extras.insert(0, text) && extras.erase(0));
    need(root.set("number", number));
    need(rules.erase("added") && rules.erase("copied"));
}

void with_allot(benchmark::State& state) {
    allot::document tree;
    need(static_cast<bool>(allot::read_json(tree, grammar())));
    std::int64_t number = 0;
    for (auto _ : state) edit(tree, ++number);
}

void bounded(benchmark::State& state) {
    allot::bounded_document memory({.name = "bench", .json_bytes_max = allot::kibibytes(256)});
    need(memory.is_ready() && memory.read_json(grammar()));
    std::int64_t number = 0;
    for (auto _ : state) edit(memory.tree(), ++number);
}

#ifdef ALLOT_HAS_NLOHMANN
void with_nlohmann(benchmark::State& state) {
    using nlohmann::json;
    json root = json::parse(grammar());
    std::int64_t number = 0;
    for (auto _ : state) {
        ++number;
        json& rules = root["rules"];
        json& added = rules["added"] = json::object();
        added["type"] = text;
        added["number"] = number;
        json& members = added["members"] = json::array();
        for (int i = 0; i != 8; ++i) members.push_back(text);
        rules["copied"] = rules[copied];
        json& extras = root["extras"];
        extras.insert(extras.begin(), text);
        extras.erase(0);
        root["number"] = number;
        need(rules.erase("added") == 1 && rules.erase("copied") == 1);
    }
}
#endif

#ifdef ALLOT_HAS_RAPIDJSON
void with_rapidjson(benchmark::State& state) {
    using namespace rapidjson;
    using document = GenericDocument<UTF8<>, CrtAllocator, CrtAllocator>;
    using item = document::ValueType;
    document root;
    need(!root.Parse(grammar().c_str()).HasParseError());
    CrtAllocator& heap = root.GetAllocator();
    const auto set = [&](item& in, const char* key, item&& to) -> item& {
        if (const auto found = in.FindMember(key); found != in.MemberEnd()) return found->value = to;
        in.AddMember(item(key, heap), to, heap);
        return (in.MemberEnd() - 1)->value;
    };
    std::int64_t number = 0;
    for (auto _ : state) {
        ++number;
        item& rules = root["rules"];
        item& added = set(rules, "added", item(kObjectType));
        set(added, "type", item(text, heap));
        set(added, "number", item(number));
        item& members = set(added, "members", item(kArrayType));
        for (int i = 0; i != 8; ++i) members.PushBack(item(text, heap), heap);
        set(rules, "copied", item(rules[copied], heap));
        item& extras = root["extras"];
        extras.PushBack(item(text, heap), heap); // it inserts behind the last alone
        for (SizeType at = extras.Size(); --at != 0;) extras[at].Swap(extras[at - 1]);
        extras.Erase(extras.Begin());
        set(root, "number", item(number)); // which may move what stands in the root
        item& moved = root["rules"];
        need(moved.EraseMember("added") && moved.EraseMember("copied"));
    }
}
#endif

} // namespace

int main(int argc, char** argv) {
    if (grammar().empty()) {
        std::fprintf(stderr, "document_bench: the documents in %s cannot be read\n", ALLOT_BENCH_DATA);
        return 1;
    }
    if (allot::has_json()) {
        benchmark::RegisterBenchmark("document/edit/threads:1/allot", with_allot);
        benchmark::RegisterBenchmark("document/edit bounded/threads:1/allot", bounded);
    }
#ifdef ALLOT_HAS_NLOHMANN
    benchmark::RegisterBenchmark("document/edit/threads:1/nlohmann", with_nlohmann);
    benchmark::RegisterBenchmark("document/edit bounded/threads:1/nlohmann", with_nlohmann);
#endif
#ifdef ALLOT_HAS_RAPIDJSON
    benchmark::RegisterBenchmark("document/edit/threads:1/rapidjson", with_rapidjson);
    benchmark::RegisterBenchmark("document/edit bounded/threads:1/rapidjson", with_rapidjson);
#endif
    benchmark::Initialize(&argc, argv);
    benchmark::RunSpecifiedBenchmarks();
}
