#include <allot/document/json_reader.hpp>
#include <allot/document/json_writer.hpp>

#include <allot/source/malloc_source.hpp>
#include <allot/structure/arena.hpp>
#include <allot/testing/auditing_source.hpp>
#include <allot/testing/for_each_failure.hpp>
#include <allot/testing/no_allocation.hpp>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cassert>
#include <fstream>
#include <iterator>
#include <random>

using namespace allot;

namespace {

class json_reader_test : public testing::Test {
protected:
    void SetUp() override {
        if (!has_json()) GTEST_SKIP() << "allot was built without JSON: install libsimdjson-dev and rebuild";
    }
};

std::string written(const document& from) {
    buffer text;
    write_json(text, from.root()).value();
    return std::string(text.text());
}

std::string said(const result<void>& done) { return done ? "ok" : done.error().text(); }

std::string repeated(std::string_view what, std::size_t count) {
    std::string all;
    for (std::size_t i = 0; i != count; ++i) all += what;
    return all;
}

TEST_F(json_reader_test, reads_as_the_header_shows) {
    document config({.name = "config"});
    auto done = read_json(config, R"({"retries": 3, "hosts": ["a", "b"]})");
    EXPECT_TRUE(done && config.root()["hosts"][1].as_text() == "b");
    done = read_json(config, "{\"retries\": 3,\n \"hosts\": [\"a\" \"b\"]}");
    EXPECT_EQ(done.error().text(), "line 2, column 16, byte 30, at /hosts: expected ',' or ']', found '\"'");
    EXPECT_EQ(config.root()["retries"].as_int(), 3); // as it was
}

TEST_F(json_reader_test, keeps_kinds_apart) { // B42
    document read;
    ASSERT_TRUE(read_json(read, R"([1, 1.0, "1", true, null, 18446744073709551615, {"1": 1}, [1]])"));
    const value root = read.root();
    const value_type kinds[] = {value_type::integer, value_type::real, value_type::text,
                                value_type::boolean, value_type::null, value_type::unsigned_integer,
                                value_type::object,  value_type::array};
    for (int i = 0; i != 8; ++i) EXPECT_EQ(root[i].type(), kinds[i]) << i;
    EXPECT_EQ(root[5].as_uint(), UINT64_MAX);
    EXPECT_EQ(root[6]["1"].as_int(), 1);
}

TEST_F(json_reader_test, allows_as_many_levels_as_it_is_told) {
    for (const std::uint64_t depth : {1, 2, 63, 64, 65, 1024, 5000}) {
        document read;
        const auto nested = [](std::uint64_t levels) {
            return repeated("[", levels) + repeated("]", levels);
        };
        EXPECT_EQ(said(read_json(read, nested(depth), {.depth_max = depth})), "ok");
        const std::string refused = said(read_json(read, nested(depth + 1), {.depth_max = depth}));
        EXPECT_NE(refused.find(", byte " + std::to_string(depth) + ", at /0"), std::string::npos) << refused;
        EXPECT_NE(refused.find(": more than " + std::to_string(depth) + " levels"), std::string::npos)
            << refused;
    }
    document read;
    EXPECT_EQ(said(read_json(read, "[]", {.depth_max = 0})), "line 1, column 1, byte 0: more than 0 levels");
    EXPECT_EQ(said(read_json(read, "1", {.depth_max = 0})), "ok");
    EXPECT_EQ(said(read_json(read, R"({"a":{"b":[]}})", {.depth_max = 2})),
              "line 1, column 11, byte 10, at /a/b: more than 2 levels");
}

TEST_F(json_reader_test, reads_a_million_levels_and_a_million_members) { // B43
    constexpr std::size_t million = 1'000'000;
    document read;
    const std::string deep = repeated("[", million) + repeated("]", million);
    EXPECT_NE(said(read_json(read, deep)).find(": more than 1024 levels"), std::string::npos);
    ASSERT_EQ(said(read_json(read, deep, {.depth_max = million})), "ok");
    EXPECT_EQ(written(read).size(), deep.size());
    const std::string in_objects = repeated("{\"a\":", million) + "1" + repeated("}", million);
    ASSERT_EQ(said(read_json(read, in_objects, {.depth_max = million})), "ok");
    EXPECT_TRUE(written(read) == in_objects);
    const std::string broken = in_objects.substr(0, in_objects.size() - 1);
    EXPECT_NE(
        said(read_json(read, broken, {.depth_max = million})).find("expected ',' or '}', found the end"),
        std::string::npos);
    std::string wide = "[0";
    for (std::size_t i = 1; i != million; ++i) wide += "," + std::to_string(i);
    wide += "]";
    ASSERT_EQ(said(read_json(read, wide)), "ok");
    EXPECT_EQ(read.root().size(), million);
    EXPECT_TRUE(written(read) == wide);
    std::string members = "{\"0\":0";
    for (std::size_t i = 1; i != million; ++i)
        members.append(",\"").append(std::to_string(i)).append("\":").append(std::to_string(i));
    members += "}";
    ASSERT_EQ(said(read_json(read, members)), "ok");
    EXPECT_EQ(read.root()["765432"].as_int(), 765432);
    EXPECT_TRUE(written(read) == members);
}

TEST_F(json_reader_test, counts_members_beyond_what_the_parser_counts) {
    // simdjson's own count of an array ends at 16,777,215.
    const std::size_t count = (1u << 24) + 3;
    std::string wide = "[";
    wide.reserve(2 * count + 1);
    for (std::size_t i = 0; i != count; ++i) wide += "1,";
    wide.back() = ']';
    document read;
    ASSERT_EQ(said(read_json(read, wide)), "ok");
    EXPECT_EQ(read.root().size(), count);
}

TEST_F(json_reader_test, refuses_texts_that_are_too_long) {
    document read;
    EXPECT_EQ(said(read_json(read, "[1,2]", {.bytes_max = 5})), "ok");
    EXPECT_EQ(said(read_json(read, "[1,2] ", {.bytes_max = 5})), "a text of 6 bytes, of which 5 may be read");
    EXPECT_EQ(said(read_json(read, "", {.bytes_max = 0})),
              "line 1, column 1, byte 0: expected a value: the text is empty");
    json_reader reader({.read = {.bytes_max = 5}});
    EXPECT_FALSE(reader.try_reserve(6));
    EXPECT_TRUE(reader.try_reserve(5));
}

TEST_F(json_reader_test, does_with_duplicate_keys_as_it_is_told) {
    const std::string_view text = "{\"a\": {\"x\": 1},\n \"b\": [{\"a\": 2, \"c\": 3, \"a\": 4}], \"a\": 5}";
    document read;
    EXPECT_EQ(said(read_json(read, text, {.duplicates = duplicate_keys::last})), "ok");
    EXPECT_EQ(written(read), R"({"a":5,"b":[{"a":4,"c":3}]})");
    read.check();
    EXPECT_EQ(said(read_json(read, text, {.duplicates = duplicate_keys::first})), "ok");
    EXPECT_EQ(written(read), R"({"a":{"x":1},"b":[{"a":2,"c":3}]})");
    read.check();
    EXPECT_EQ(said(read_json(read, text, {.duplicates = duplicate_keys::refuse})),
              "line 2, column 25, byte 40, at /b/0: this key is there already");
    EXPECT_EQ(said(read_json(read, R"({"a":{"a":1},"\u0061":2})", {.duplicates = duplicate_keys::refuse})),
              "line 1, column 14, byte 13: this key is there already");
    EXPECT_EQ(
        said(read_json(read, R"({"a":{"a":1},"b":{"a":[{"a":1}]}})", {.duplicates = duplicate_keys::refuse})),
        "ok");
    std::string many = "{";
    for (int i = 0; i != 1000; ++i) many += "\"" + std::to_string(i) + "\":[],";
    EXPECT_EQ(said(read_json(read, many + "\"777\":1}", {.duplicates = duplicate_keys::refuse})),
              "line 1, column " + std::to_string(many.size() + 1) + ", byte " + std::to_string(many.size()) +
                  ": this key is there already");
    EXPECT_EQ(said(read_json(read, many + "\"777\":1}")), "ok");
    EXPECT_EQ(read.root()["777"].as_int(), 1);
    EXPECT_EQ(read.root().size(), 1000u);
}

TEST_F(json_reader_test, tells_keys_apart_that_begin_or_end_alike) {
    std::string text = "{";
    for (int i = 0; i != 3000; ++i) {
        const std::string number = std::to_string(100'000 + i);
        text.append("\"key____").append(number).append("\":1,\"").append(number).append("____key\":1,");
    }
    text.back() = '}';
    document read;
    ASSERT_EQ(said(read_json(read, text, {.duplicates = duplicate_keys::refuse})), "ok");
    EXPECT_TRUE(written(read) == text);
}

TEST_F(json_reader_test, reads_padded_texts_where_they_lie) {
    std::string text = "[1, \"two\", 34";
    const std::size_t size = text.size() + 1;
    text += "]]]]5}" + std::string(json_padding, '7'); // what stands behind does not matter
    json_reader reader({.read = {.is_padded = true}});
    document read;
    ASSERT_TRUE(reader.read(read, std::string_view(text).substr(0, size)));
    EXPECT_EQ(written(read), "[1,\"two\",34]");
    const std::string number = "12" + std::string(json_padding, '7');
    ASSERT_TRUE(reader.read(read, std::string_view(number).substr(0, 2)));
    EXPECT_EQ(read.root().as_int(), 12);
}

TEST_F(json_reader_test, gives_the_place_of_the_newest_error_alone) {
    json_reader reader;
    document read;
    EXPECT_FALSE(reader.read(read, "[\n 1,\n x]"));
    ASSERT_TRUE(reader.place());
    EXPECT_EQ(reader.place()->line, 3u);
    EXPECT_EQ(reader.place()->column, 2u);
    EXPECT_EQ(reader.place()->byte, 7u);
    EXPECT_TRUE(reader.read(read, "1"));
    EXPECT_FALSE(reader.place());
}

constexpr std::string_view sample =
    R"({"name":"sample","list":[1,2.5,"a text that takes a block",[[],{}],{"deep":{"er":null}}],)"
    R"("a key of more than sixteen bytes":true,"twice":{"x":1,"y":{"z":"of more than seven"},"x":[]}})";

TEST_F(json_reader_test, leaves_the_tree_as_it_was_when_memory_runs_out) {
    malloc_source memory;
    std::uint64_t failed = 0;
    const std::uint64_t points = for_each_failure(
        [&](failing_source& source) {
            document read({.upstream = &memory});
            (void)read.set_root("before");
            json_reader reader({.upstream = &source});
            if (auto done = reader.read(read, sample); !done) {
                ++failed;
                EXPECT_NE(done.error().text().find("out of memory"), std::string::npos)
                    << done.error().text();
                EXPECT_EQ(read.root().as_text(), "before");
            }
        },
        {.upstream = &memory});
    EXPECT_EQ(points, 2u); // the copy, a bit a level
    EXPECT_EQ(failed, points);
    const std::uint64_t more = for_each_failure(
        [&](failing_source& source) {
            document read({.upstream = &source});
            if (!read.set_root("a text of before")) return;
            if (auto done = read_json(read, sample); !done) {
                EXPECT_NE(done.error().text().find("out of memory"), std::string::npos)
                    << done.error().text();
                EXPECT_EQ(read.root().as_text(), "a text of before");
            }
            read.check();
        },
        {.upstream = &memory});
    EXPECT_GT(more, 5u);
}

TEST_F(json_reader_test, stays_within_the_documents_limit) {
    document read({.name = "small", .limit_bytes = kibibytes(16)});
    ASSERT_TRUE(read_json(read, sample));
    const std::string before = written(read);
    const std::string refused = said(read_json(read, "[" + repeated("\"eight by\",", 5000) + "1]"));
    EXPECT_NE(refused.find("out of memory: "), std::string::npos) << refused;
    EXPECT_NE(refused.find("small"), std::string::npos) << refused;
    EXPECT_EQ(written(read), before);
    EXPECT_LE(read.usage().held_bytes, kibibytes(16));
}

TEST_F(json_reader_test, takes_nothing_from_elsewhere_once_it_is_reserved) {
    malloc_source memory;
    auditing_source audited(memory);
    {
        json_reader reader({.upstream = &audited});
        ASSERT_TRUE(reader.try_reserve(sample.size()));
        const std::uint64_t held = reader.held_bytes();
        EXPECT_GT(held, 14 * sample.size());
        const std::size_t blocks = audited.live_count();
        arena trees({.upstream = &memory, .chunk_bytes_min = mebibytes(1)});
        (void)trees.try_allocate({.size = 1});
        trees.reset();
        no_allocation scope;
        for (int i = 0; i != 100; ++i) {
            {
                document read({.upstream = &trees});
                ASSERT_TRUE(reader.read(read, sample));
                EXPECT_EQ(read.root()["twice"]["y"]["z"].as_text(), "of more than seven");
            }
            trees.reset();
        }
        EXPECT_EQ(reader.held_bytes(), held);
        EXPECT_EQ(audited.live_count(), blocks);
    }
    EXPECT_EQ(audited.live_count(), 0u);
}

TEST_F(json_reader_test, gives_back_each_block_of_a_document) {
    malloc_source memory;
    auditing_source audited(memory);
    {
        document read({.upstream = &audited});
        for (int i = 0; i != 3; ++i) {
            ASSERT_TRUE(read_json(read, sample));
            EXPECT_FALSE(read_json(read, "[1, \"a text that takes a block\", {\"a\": 1}, tru]"));
            EXPECT_FALSE(read_json(read, R"([{"b":"a text that takes a block","a":1,"a":[[]]}])",
                                   {.duplicates = duplicate_keys::refuse}));
            read.check();
        }
    }
    EXPECT_EQ(audited.live_count(), 0u);
    EXPECT_EQ(audited.finding_count(), 0u);
}

TEST_F(json_reader_test, gives_back_what_it_made_before_memory_ran_out_anywhere) {
    const std::string text = R"([[1,[2],"a text of a block"],{"a":{"b":[{"c":"another text"},[]],"d":3}},)" +
                             repeated(R"({"k":[{"l":"m"}]},)", 20) + "{}]";
    malloc_source memory;
    std::uint64_t refused = 0;
    for (std::uint64_t limit = 512; limit < 8192; limit += 8) {
        auditing_source audited(memory); // fatal where a block is missing at its end
        document read({.upstream = &audited, .limit_bytes = limit});
        if (!read.set_root(1)) continue;
        const bool done = static_cast<bool>(read_json(read, text));
        EXPECT_EQ(written(read), done ? text : "1");
        read.check();
        refused += !done;
    }
    EXPECT_GT(refused, 200u);
}

TEST_F(json_reader_test, takes_24_bytes_a_value_at_most_and_the_texts) {
    std::ifstream file(ALLOT_BENCH_DATA "/tree_sitter_python_grammar.json", std::ios::binary);
    document read;
    ASSERT_TRUE(read_json(read, std::string{std::istreambuf_iterator<char>(file), {}}));
    const std::optional<tree_size> size = measure(read.root());
    ASSERT_TRUE(size && size->value_count > 4000);
    EXPECT_LE(size->bytes, 24 * size->value_count + size->text_bytes);
}

// A text with a few bytes changed, left out, doubled.
std::string damaged(std::string text, std::mt19937_64& random) {
    constexpr std::string_view bytes =
        "{}[]:,\"\\/ \n0123456789-+.eEutrfalsn\x80\xc3\xa9\xed\xa0\xff\x01\xef\xbb\xbf"
        "dD8c";
    for (std::uint64_t left = random() % 4; left != 0; --left) {
        const std::size_t at = random() % (text.size() + 1);
        const char byte = bytes[random() % bytes.size()];
        switch (random() % 4) {
        case 0: text.insert(at, 1, byte); break;
        case 1: text.replace(at, at == text.size() ? 0 : 1, 1, byte); break;
        case 2: text.erase(at, 1 + random() % 3); break;
        default: text.insert(at, text.substr(random() % (text.size() + 1), random() % 6));
        }
    }
    return text;
}

TEST_F(json_reader_test, agrees_with_a_naive_parser_on_damaged_texts) {
    const std::string texts[] = {
        std::string(sample),
        R"({"a":[1,2.5e-3,-0,true,null,{"b":"x\u00e9\ud83d\ude00\n","c":{}}],"d":[[],[[]],"é€"]})",
        "[18446744073709551615,-9223372036854775808,1.7976931348623157e308,5e-324,0.1]",
        "\"a\\\\\\\"b\"",
        "  {\"k\" : false, \"k\": 1e5 }  ",
    };
    const std::uint64_t seed = 8259;
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    json_reader reader;
    std::vector<std::uint64_t> stack(detail::json_stack_words(1024));
    std::uint64_t accepted_count = 0;
    for (int i = 0; i != 30'000; ++i) {
        const std::string text = damaged(texts[random() % std::size(texts)], random);
        SCOPED_TRACE(text);
        document read;
        const auto done = reader.read(read, text);
        detail::json_fault fault;
        ASSERT_EQ(!done, detail::find_json_fault(text, {.depth_max = 1024}, stack, fault)) << said(done);
        const bool is_beyond = !done && said(done).find("cannot hold") != std::string::npos;
        const bool has_mark = text.starts_with("\xef\xbb\xbf"); // theirs skips it
        if (is_beyond || has_mark) continue;
        const auto naive = nlohmann::json::parse(text, nullptr, false);
        ASSERT_EQ(!done, naive.is_discarded()) << said(done);
        if (!done) continue;
        ++accepted_count;
        read.check();
        ASSERT_EQ(nlohmann::json::parse(written(read)), naive);
    }
    EXPECT_GT(accepted_count, 5000u);
}

} // namespace
