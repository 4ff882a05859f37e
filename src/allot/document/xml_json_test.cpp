#include <allot/document/document_builder.hpp>
#include <allot/document/xml.hpp>
#include <allot/document/xml_json.hpp>

#include <allot/source/default_source.hpp>
#include <allot/source/page_source.hpp>
#include <allot/testing/auditing_source.hpp>
#include <allot/testing/for_each_failure.hpp>
#include <allot/testing/no_allocation.hpp>

#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <string>

using namespace std::string_view_literals;

namespace allot {
namespace {

std::string made(document& into, std::string_view text) {
    document xml;
    const xml_read_options all{
        .keep_blank_texts = true, .keep_comments = true, .keep_instructions = true, .keep_cdata = true};
    EXPECT_TRUE(read_xml(xml, text, all)) << text;
    const auto done = json_from_xml(into, xml.root());
    into.check();
    return done ? "" : done.error().text();
}

// Usage.

TEST(xml_json, keeps_a_text_apart_from_a_number) {
    document tree;
    auto done = read_xml(tree, "<map><number key='n'>1</number><string key='s'>1</string></map>");
    done = json_from_xml(tree, tree.root());
    EXPECT_TRUE(tree.root()["n"].as_int() == 1 && tree.root()["s"].as_text() == "1");
}

// Edges.

TEST(xml_json, reads_each_type) {
    document tree;
    ASSERT_EQ(
        made(
            tree,
            "<?p?><array xmlns='http://www.w3.org/2005/xpath-functions'> <!--c--><null/>\n<boolean>true</boolean>"
            "<boolean>false</boolean><number>-9223372036854775808</number>"
            "<number>18446744073709551615</number><number>1.50</number><number>1e3</number>"
            "<number>-0</number><string/><string><![CDATA[<]]></string><array/><map/></array>"),
        "");
    const value root = tree.root();
    ASSERT_EQ(root.size(), 12);
    EXPECT_TRUE(root[0].is_null());
    EXPECT_TRUE(root[1].as_bool(false) && !root[2].as_bool(true));
    EXPECT_EQ(root[3].as_int(), std::numeric_limits<std::int64_t>::min());
    EXPECT_EQ(root[4].as_uint(), std::numeric_limits<std::uint64_t>::max());
    EXPECT_EQ(root[5].as_double(), 1.5);
    EXPECT_TRUE(root[6].type() == value_type::real && root[6].as_double() == 1000);
    EXPECT_TRUE(root[7].type() == value_type::integer);
    EXPECT_TRUE(root[8].is_text() && root[8].as_text().empty());
    EXPECT_EQ(root[9].as_text(), "<");
    EXPECT_TRUE(root[10].is_array() && root[11].is_object());
}

TEST(xml_json, refuses_what_is_no_json) {
    struct refused {
        std::string_view text, why;
    };
    constexpr refused all[] = {
        {"<a/>", "none of map, array, string, number, boolean and null"},
        {"<map><number>1</number></map>", "an element in a map has no key"},
        {"<array><number key='a'>1</number></array>", "a key outside of a map"},
        {"<map key='a'/>", "a key outside of a map"},
        {"<map><null key='a'/><null key='a'/></map>", "at 'a': a map has a key twice"},
        {"<map>x</map>", "a text stands in a map or array"},
        {"<array><![CDATA[x]]></array>", "a text stands in a map or array"},
        {"<array><string><null/></string></array>", "an element stands in a string, number, boolean or null"},
        {"<map><string key='k' escaped='true'>x</string></map>",
         "at 'k': an attribute that JSON has no place for"},
        {"<string>a<!--c-->b</string>", "a text is in several pieces"},
        {"<null>x</null>", "a text stands in null"},
        {"<boolean>1</boolean>", "a boolean is true or false"},
        {"<boolean/>", "a boolean is true or false"},
        {"<number/>", "this is no number in JSON"},
        {"<number>+1</number>", "this is no number in JSON"},
        {"<number>01</number>", "this is no number in JSON"},
        {"<number>1.</number>", "this is no number in JSON"},
        {"<number>.5</number>", "this is no number in JSON"},
        {"<number>1e</number>", "this is no number in JSON"},
        {"<number>-</number>", "this is no number in JSON"},
        {"<number> 1</number>", "this is no number in JSON"},
        {"<number>NaN</number>", "this is no number in JSON"},
        {"<number>18446744073709551616</number>", "an integer of more than 64 bits"},
        {"<number>1e999</number>", "a number that no double holds"},
    };
    for (const refused& it : all) {
        document tree;
        ASSERT_TRUE(tree.set_root("old"));
        EXPECT_EQ(made(tree, it.text), it.why) << it.text;
        EXPECT_EQ(tree.root().as_text(), "old") << it.text;
    }
    document tree;
    EXPECT_FALSE(json_from_xml(tree, value()));
    ASSERT_TRUE(tree.set_root(1));
    EXPECT_EQ(json_from_xml(tree, tree.root()).error().text(), "this is no element");
}

TEST(xml_json, goes_a_million_levels_deep) { // B43
    constexpr int depth = 1'000'000;
    document tree;
    document_builder build(tree);
    for (int i = 0; i != depth; ++i) build.begin_array();
    for (int i = 0; i != depth; ++i) build.end();
    ASSERT_TRUE(build.commit());
    buffer text;
    ASSERT_TRUE(write_xml(text, tree.root()));
    document again;
    ASSERT_TRUE(read_xml(again, text.text(), {.depth_max = depth}));
    ASSERT_TRUE(json_from_xml(again, again.root()));
    EXPECT_EQ(same_tree(tree.root(), again.root()), true);
}

// Shortage and books.

constexpr std::string_view some =
    "<map><array key='a long key'><string>a long enough text</string><number>1</number></array>"
    "<map key='m'><null key='n'/></map></map>";

TEST(xml_json, survives_each_point_of_shortage) {
    document xml;
    ASSERT_TRUE(read_xml(xml, some));
    const std::uint64_t points = for_each_failure([&](failing_source& source) {
        document tree({.upstream = &source});
        if (!tree.set_root("old")) return;
        const auto done = json_from_xml(tree, xml.root());
        tree.check();
        if (done) return;
        EXPECT_EQ(tree.root().as_text(), "old");
        EXPECT_NE(done.error().text().find("out of memory"), std::string::npos);
    });
    EXPECT_GT(points, 3);
}

TEST(xml_json, takes_all_memory_from_the_document) {
    page_source pages;
    auditing_source below(pages);
    {
        const no_allocation nothing_else;
        document xml({.upstream = &below});
        EXPECT_TRUE(read_xml(xml, some));
        EXPECT_TRUE(json_from_xml(xml, xml.root()));
    }
    EXPECT_EQ(below.live_count(), 0);
}

// Model: what was written in XML comes back with all types, to the bit.

void random_value(document_builder& build, std::mt19937_64& random, int depth) {
    const auto count = random() % 5;
    switch (random() % (depth < 6 ? 9 : 7)) {
    case 0: build.null(); return;
    case 1: build.boolean(random() % 2 == 0); return;
    case 2: build.integer(static_cast<std::int64_t>(random()) >> (random() % 64)); return;
    case 3: build.unsigned_integer(random()); return;
    case 4: {
        const double real = std::bit_cast<double>(random());
        build.real(std::isfinite(real) ? real : -0.0);
        return;
    }
    case 5: build.real(static_cast<double>(random() % 100)); return;
    case 6:
        build.text("1\r\n <&>\"é "sv.substr(0, std::array<std::size_t, 6>{0, 1, 5, 8, 10, 11}[random() % 6]));
        return;
    case 7:
        build.begin_array();
        for (auto i = count; i != 0; --i) random_value(build, random, depth + 1);
        break;
    default:
        build.begin_object();
        for (auto i = count; i != 0; --i) {
            build.key("k<&\"\n" + std::to_string(i));
            random_value(build, random, depth + 1);
        }
    }
    build.end();
}

TEST(xml_json, gives_back_random_trees_of_json) { // B42
    const auto seed = std::random_device()();
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    for (int round = 0; round != 500; ++round) {
        document tree;
        document_builder build(tree);
        random_value(build, random, 0);
        ASSERT_TRUE(build.commit());
        for (const unsigned indent : {0U, 2U}) {
            buffer text;
            ASSERT_TRUE(write_xml(text, tree.root(), {.indent = indent}));
            document again;
            ASSERT_TRUE(read_xml(again, text.text(), {.keep_blank_texts = indent == 0})) << text.text();
            const auto done = json_from_xml(again, again.root());
            ASSERT_TRUE(done) << done.error().text() << '\n' << text.text();
            if (indent == 0) {
                ASSERT_EQ(same_tree(tree.root(), again.root()), true) << text.text();
            }
        }
    }
}

} // namespace
} // namespace allot
