#include <allot/document/json_reader.hpp>
#include <allot/document/json_writer.hpp>

#include <allot/source/malloc_source.hpp>
#include <allot/testing/auditing_source.hpp>
#include <allot/testing/for_each_failure.hpp>
#include <allot/testing/no_allocation.hpp>

#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <limits>
#include <random>

using namespace allot;

namespace {

// Counts what it is given, and refuses beyond so many bytes.
class counting_sink final : public text_sink {
public:
    explicit counting_sink(std::uint64_t bytes_max = usage::unlimited) : bytes_max_(bytes_max) {}
    bool try_write(std::string_view more) noexcept override {
        if (bytes + more.size() > bytes_max_) return false;
        bytes += more.size();
        ++calls;
        return true;
    }
    std::uint64_t bytes = 0;
    std::uint64_t calls = 0;

private:
    std::uint64_t bytes_max_;
};

std::string written(value tree, const json_write_options& options = {}) {
    buffer text;
    if (auto done = write_json(text, tree, options); !done) return "error: " + done.error().text();
    return std::string(text.text());
}

document nested(std::size_t depth) {
    document made;
    document_builder build(made);
    for (std::size_t i = 0; i != depth; ++i) build.begin_array(i + 1 == depth ? 0 : 1);
    for (std::size_t i = 0; i != depth; ++i) build.end();
    EXPECT_TRUE(build.commit());
    return made;
}

TEST(json_writer, writes_as_the_header_shows) {
    if (!has_json()) GTEST_SKIP() << "allot was built without JSON: install libsimdjson-dev and rebuild";
    document config;
    ASSERT_TRUE(read_json(config, R"({"retries": 3, "hosts": ["a", "b"]})"));
    buffer text;
    write_json(text, config.root()).value();
    EXPECT_EQ(text.text(), R"({"retries":3,"hosts":["a","b"]})");
    text.clear();
    write_json(text, config.root()["hosts"], {.indent = 2}).value();
    EXPECT_EQ(text.text(), "[\n  \"a\",\n  \"b\"\n]");
}

TEST(json_writer, indents_each_level_and_leaves_empty_containers_on_their_line) {
    document tree;
    ASSERT_TRUE(tree.set_root(content::object()));
    node root = tree.edit();
    ASSERT_TRUE(root.set("a", content::array()) && root.set("b", content::object()) &&
                root.set("c", content::array()));
    ASSERT_TRUE(root.edit("c").push_back(content::object()));
    ASSERT_TRUE(root.edit("c").edit(0).set("d", 1.5));
    EXPECT_EQ(written(tree.root(), {.indent = 2, .ends_line = true}),
              "{\n  \"a\": [],\n  \"b\": {},\n  \"c\": [\n    {\n      \"d\": 1.5\n    }\n  ]\n}\n");
    EXPECT_EQ(written(tree.root()["c"], {.indent = 40}), "[\n" + std::string(40, ' ') + "{\n" +
                                                             std::string(80, ' ') + "\"d\": 1.5\n" +
                                                             std::string(40, ' ') + "}\n]");
}

TEST(json_writer, refuses_what_json_cannot_say_and_names_the_place) {
    document tree;
    ASSERT_TRUE(tree.set_root(content::object()));
    ASSERT_TRUE(tree.edit().set("a~/b", content::array()));
    node list = tree.edit().edit("a~/b");
    ASSERT_TRUE(list.push_back(1) && list.push_back(2));
    const auto refused = [&](const content& what) {
        EXPECT_TRUE(list.set(1, what));
        return written(tree.root());
    };
    EXPECT_EQ(refused(std::numeric_limits<double>::infinity()), "error: at /a~0~1b/1: JSON has no infinity");
    EXPECT_EQ(refused(-std::numeric_limits<double>::infinity()), "error: at /a~0~1b/1: JSON has no infinity");
    EXPECT_EQ(refused(std::nan("")), "error: at /a~0~1b/1: JSON has no NaN");
    EXPECT_EQ(refused("a\xff"), "error: at /a~0~1b/1: a text that is not UTF-8");
    EXPECT_EQ(refused("long enough for words of 8 \xed\xa0\x80"),
              "error: at /a~0~1b/1: a text that is not UTF-8");
    EXPECT_EQ(refused(content::element("p")), // B42: an element is no object
              "error: at /a~0~1b/1: what XML alone has (an element, a comment, CDATA) has no JSON form");
    EXPECT_EQ(written(value()), "error: there is no value to write");
    EXPECT_EQ(refused(true), "{\"a~/b\":[1,true]}");
}

TEST(json_writer, writes_doubles_that_read_back_bit_by_bit) {
    const std::uint64_t seed = 20261121;
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    document tree;
    for (int i = 0; i != 20'000; ++i) {
        const auto number = std::bit_cast<double>(random());
        if (!std::isfinite(number)) continue;
        ASSERT_TRUE(tree.set_root(number));
        const std::string text = written(tree.root());
        double back = 0;
        std::from_chars(text.data(), text.data() + text.size(), back);
        ASSERT_EQ(std::bit_cast<std::uint64_t>(back), std::bit_cast<std::uint64_t>(number)) << text;
        ASSERT_NE(text.find_first_of(".e"), std::string::npos) << text; // else it would be an integer
    }
}

TEST(json_writer, escapes_wherever_a_byte_stands) {
    document tree;
    for (const char byte : {'"', '\\', '\n', '\x1f', '\0', '\x7f', ' '}) {
        for (std::size_t at = 0; at != 24; ++at) {
            std::string text(24, 'a');
            text[at] = byte;
            ASSERT_TRUE(tree.set_root(std::string_view(text)));
            const std::string escaped = byte == '"'      ? "\\\""
                                        : byte == '\\'   ? "\\\\"
                                        : byte == '\n'   ? "\\n"
                                        : byte == '\x1f' ? "\\u001f"
                                        : byte == '\0'   ? "\\u0000"
                                                         : std::string(1, byte);
            EXPECT_EQ(written(tree.root()), "\"" + text.substr(0, at) + escaped + text.substr(at + 1) + "\"");
        }
    }
}

TEST(json_writer, leaves_a_buffer_and_a_string_as_they_were_when_it_fails) {
    document tree;
    ASSERT_TRUE(tree.set_root(content::array()));
    const std::string long_text(10'000, 'x');
    ASSERT_TRUE(tree.edit().push_back(std::string_view(long_text)));
    ASSERT_TRUE(tree.edit().push_back(std::nan("")));
    buffer text;
    text.append("before");
    EXPECT_FALSE(write_json(text, tree.root()));
    EXPECT_EQ(text.text(), "before");
    std::pmr::string string = "before";
    EXPECT_FALSE(write_json(string, tree.root()));
    EXPECT_EQ(string, "before");
    ASSERT_TRUE(tree.edit().set(1, 2));
    EXPECT_TRUE(write_json(string, tree.root()));
    EXPECT_EQ(std::string_view(string), "before[\"" + long_text + "\",2]");
}

TEST(json_writer, fills_bytes_to_the_last_and_no_further) {
    document tree;
    ASSERT_TRUE(tree.set_root("abc"));
    std::array<char, 6> bytes;
    bytes.fill('-');
    EXPECT_FALSE(write_json(std::span(bytes).first(4), tree.root()));
    EXPECT_EQ(last_refusal().kind, std::string_view("text_sink"));
    EXPECT_EQ(bytes[4], '-');
    const auto fits = write_json(std::span(bytes).first(5), tree.root());
    ASSERT_TRUE(fits);
    EXPECT_EQ(*fits, "\"abc\"");
    EXPECT_EQ(bytes[5], '-');
}

TEST(json_writer, calls_the_sink_once_per_4_kib) {
    document tree;
    ASSERT_TRUE(tree.set_root(content::array()));
    for (int i = 0; i != 10'000; ++i) ASSERT_TRUE(tree.edit().push_back(i));
    counting_sink sink;
    ASSERT_TRUE(write_json(sink, tree.root()));
    EXPECT_EQ(sink.bytes, written(tree.root()).size());
    EXPECT_LE(sink.calls, sink.bytes / 4000 + 1);
    counting_sink small(sink.bytes - 1);
    EXPECT_FALSE(write_json(small, tree.root()));
}

TEST(json_writer, writes_a_tree_a_million_deep) { // B43
    const document deep = nested(1'000'000);
    counting_sink sink;
    ASSERT_TRUE(write_json(sink, deep.root()));
    EXPECT_EQ(sink.bytes, 2'000'000u);
}

TEST(json_writer, says_who_refused_its_stack) {
    const document deep = nested(200);
    malloc_source memory;
    std::uint64_t failed = 0;
    const std::uint64_t points = for_each_failure(
        [&](failing_source& source) {
            json_writer writer({.upstream = &source});
            counting_sink sink;
            const auto done = writer.write(sink, deep.root());
            if (done) {
                EXPECT_EQ(sink.bytes, 400u);
                return;
            }
            ++failed;
            EXPECT_NE(done.error().text().find("out of memory"), std::string::npos) << done.error().text();
        },
        {.upstream = &memory});
    EXPECT_GT(points, failed); // growing in place was refused, a new block was not
    EXPECT_GE(failed, 2u);
}

TEST(json_writer, takes_its_stack_from_upstream_and_once) {
    const document deep = nested(200);
    malloc_source memory;
    auditing_source audited(memory);
    {
        json_writer writer({.upstream = &audited});
        ASSERT_TRUE(writer.try_reserve(200));
        EXPECT_EQ(audited.live_count(), 1u);
        no_allocation scope;
        counting_sink sink;
        for (int i = 0; i != 10; ++i) ASSERT_TRUE(writer.write(sink, deep.root()));
        EXPECT_EQ(audited.live_count(), 1u);
    }
    EXPECT_EQ(audited.live_count(), 0u);
}

} // namespace
