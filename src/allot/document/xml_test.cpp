#include <allot/document/document_builder.hpp>
#include <allot/document/xml.hpp>

#include <allot/source/default_source.hpp>
#include <allot/source/page_source.hpp>
#include <allot/structure/arena.hpp>
#include <allot/testing/auditing_source.hpp>
#include <allot/testing/for_each_failure.hpp>
#include <allot/testing/no_allocation.hpp>

#include <gtest/gtest.h>

#include <limits>
#include <string>

namespace allot {
namespace {

constexpr xml_read_options keep_all{
    .keep_blank_texts = true, .keep_comments = true, .keep_instructions = true, .keep_cdata = true};

std::string written(value root, const xml_write_options& how = {}) {
    buffer out;
    const auto done = write_xml(out, root, how);
    EXPECT_EQ(static_cast<bool>(done), !out.empty());
    return done ? std::string(out.text()) : "refused: " + done.error().text();
}

std::string read(document& into, std::string_view text, const xml_read_options& how = {}) {
    const auto done = read_xml(into, text, how);
    into.check();
    return done ? "" : done.error().text();
}

// Usage.

TEST(xml, reads_a_text_and_writes_it_again) {
    std::string complaint;
    const auto complain = [&](const std::string& what) { complaint = what; };
    const auto example = [&] {
        document settings({.name = "settings"});
        auto done = read_xml(settings, "<window title='Log &amp; more'><size>80</size></window>");
        if (!done) return complain(done.error().text());
        buffer text;
        done = write_xml(text, settings.root());
        EXPECT_TRUE(text.text() == "<window title=\"Log &amp; more\"><size>80</size></window>");
        done = read_xml(settings, "<window>\n  <size>80</window>");
        EXPECT_EQ(done.error().text(),
                  "line 2, column 11, byte 19: not the end tag that is due, that of 'size'");
    };
    example();
    EXPECT_EQ(complaint, "");
}

// Edges.

TEST(xml, makes_elements_with_attributes_apart_from_children) {
    document tree;
    ASSERT_EQ(read(tree, "<a x='1' y='2'>t<b/>u<b z='3'>v</b></a>"), "");
    const value root = tree.root();
    EXPECT_EQ(root.key(), "a");
    ASSERT_EQ(root.attribute_count(), 2);
    EXPECT_EQ(root.attributes()[0].key(), "x");
    EXPECT_EQ(root.attribute("y").as_text(), "2");
    EXPECT_FALSE(root.attribute("z"));
    ASSERT_EQ(root.size(), 4);
    EXPECT_EQ(root[0].as_text(), "t");
    EXPECT_TRUE(root[1].is_element() && root[1].size() == 0);
    EXPECT_EQ(root[3].attribute("z").as_text(), "3");
    EXPECT_EQ(root[3][0].as_text(), "v");
    EXPECT_EQ(root["b"], root[1]); // the first of its name
}

TEST(xml, keeps_or_drops_comments_instructions_cdata_and_blanks_by_option) {
    constexpr std::string_view text = "<a> <b/><!--c--> x <?p  q r?><![CDATA[<&]]>\n</a>";
    document tree;
    EXPECT_EQ(read(tree, text), "");
    EXPECT_EQ(written(tree.root()), "<a><b/> x &lt;&amp;\n</a>");
    EXPECT_EQ(read(tree, text, {.keep_blank_texts = true}), "");
    EXPECT_EQ(written(tree.root()), "<a> <b/> x &lt;&amp;\n</a>");
    EXPECT_EQ(read(tree, text, {.keep_comments = true}), "");
    EXPECT_EQ(written(tree.root()), "<a><b/><!--c--> x &lt;&amp;\n</a>");
    EXPECT_EQ(tree.root()[1].type(), value_type::comment);
    EXPECT_EQ(read(tree, text, {.keep_instructions = true}), "");
    EXPECT_EQ(written(tree.root()), "<a><b/> x <?p q r?>&lt;&amp;\n</a>");
    EXPECT_EQ(tree.root()[2].key(), "p");
    EXPECT_EQ(tree.root()[2].as_text(), "q r");
    EXPECT_EQ(read(tree, text, {.keep_cdata = true}), "");
    EXPECT_EQ(written(tree.root()), "<a><b/> x <![CDATA[<&]]></a>");
    EXPECT_EQ(read(tree, text, keep_all), "");
    EXPECT_EQ(written(tree.root()), "<a> <b/><!--c--> x <?p q r?><![CDATA[<&]]>\n</a>");
}

TEST(xml, writes_a_level_to_a_line_but_nothing_into_texts) {
    document tree;
    ASSERT_EQ(read(tree, "<a b='c'><d><e/><f>x<g>y</g></f></d><!--z--></a>", keep_all), "");
    constexpr std::string_view pretty = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                                        "<a b=\"c\">\n"
                                        "  <d>\n"
                                        "    <e/>\n"
                                        "    <f>x<g>y</g></f>\n"
                                        "  </d>\n"
                                        "  <!--z-->\n"
                                        "</a>\n";
    EXPECT_EQ(written(tree.root(), {.indent = 2, .declaration = true}), pretty);
    document again;
    ASSERT_EQ(read(again, pretty, {.keep_comments = true}), "");
    EXPECT_EQ(same_tree(tree.root(), again.root()), true);
}

TEST(xml, leaves_the_tree_as_it_was_when_a_text_is_refused) {
    document tree;
    ASSERT_EQ(read(tree, "<a>old</a>"), "");
    EXPECT_NE(read(tree, "<b><c>new</c></d>"), "");
    EXPECT_EQ(written(tree.root()), "<a>old</a>");
}

TEST(xml, keeps_its_limits) {
    document tree;
    EXPECT_EQ(read(tree, "<a/>", {.bytes_max = 4}), "");
    EXPECT_EQ(read(tree, "<a/> ", {.bytes_max = 4}), "5 bytes of XML, where bytes_max allows 4");
    EXPECT_EQ(read(tree, "<a><b/><b/></a>", {.depth_max = 2}), "");
    EXPECT_EQ(read(tree, "<a><b>\n<c/></b></a>", {.depth_max = 2}),
              "line 2, column 1, byte 7: deeper than depth_max allows: 'c'");
    EXPECT_EQ(read(tree, "<a x='' y=''><b x='' y=''/></a>", {.attribute_count_max = 2}), "");
    EXPECT_EQ(read(tree, "<a x='' y='' z=''/>", {.attribute_count_max = 2}),
              "line 1, column 14, byte 13: more attributes than attribute_count_max allows");
}

TEST(xml, expands_and_fetches_nothing) { // billion laughs, XXE, quadratic blow-up
    const std::string laughs =
        "<!DOCTYPE l [<!ENTITY a 'ha'><!ENTITY b '&a;&a;'><!ENTITY c \"&b;&b;\">]><l>&c;</l>";
    const std::string external = "<!DOCTYPE l [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><l>&x;</l>";
    const std::string quadratic =
        "<!DOCTYPE l [<!ENTITY x '" + std::string(50'000, 'x') + "'>]><l>&x;&x;&x;&x;</l>";
    for (const std::string& text : {laughs, external, quadratic}) {
        document tree({.limit_bytes = 16384}); // less than what the entities would be
        EXPECT_EQ(
            read(tree, text),
            "line 1, column 1, byte 0: a document type, which is refused (xml_doctype::skip reads over it)");
        const std::string why = read(tree, text, {.doctype = xml_doctype::skip});
        EXPECT_NE(why.find("an entity that is not lt, gt, amp, quot or apos (none can be declared)"),
                  std::string::npos)
            << why;
        EXPECT_FALSE(tree.root());
    }
    document tree;
    EXPECT_EQ(
        read(tree,
             "<!DOCTYPE a PUBLIC \"-//>]\" 'x>' [<!-- ]> ' --><?p ]> \"?>\n<!ATTLIST a b CDATA ']>'>] > <a/>",
             {.doctype = xml_doctype::skip}),
        "");
    EXPECT_EQ(written(tree.root()), "<a/>"); // no default of an attribute either
    EXPECT_EQ(read(tree, "<!DOCTYPE a [<!ENTITY x '>'><a/>", {.doctype = xml_doctype::skip}),
              "line 1, column 10, byte 9: '<!DOCTYPE' without its end");
    EXPECT_EQ(read(tree, "<!DOCTYPE a><!DOCTYPE a><a/>", {.doctype = xml_doctype::skip}),
              "line 1, column 13, byte 12: an element is expected");
}

TEST(xml, reads_and_writes_a_million_levels_and_a_million_siblings) { // B43
    constexpr int count = 1'000'000;
    std::string deep;
    for (int i = 0; i != count; ++i) deep += "<a>";
    deep += "x";
    for (int i = 0; i != count; ++i) deep += "</a>";
    document tree;
    EXPECT_NE(read(tree, deep), "");
    ASSERT_EQ(read(tree, deep, {.depth_max = count}), "");
    EXPECT_TRUE(written(tree.root()) == deep);
    std::string broad = "<a>";
    for (int i = 0; i != count; ++i) broad += "<b/>";
    broad += "</a>";
    ASSERT_EQ(read(tree, broad), "");
    EXPECT_EQ(tree.root().size(), count);
    EXPECT_TRUE(written(tree.root()) == broad);
}

TEST(xml, writes_values_of_json_so_that_their_types_stay_apart) { // B42
    document tree;
    document_builder build(tree);
    build.begin_object();
    build.key("name"), build.text("a<b"), build.key("1"), build.text("1"), build.key("n"), build.integer(1);
    build.key("x&y"), build.real(0.1), build.key("big"), build.unsigned_integer(18446744073709551615U);
    build.key("yes"), build.boolean(true), build.key("nil"), build.null();
    build.key("all"), build.begin_array(), build.text(""), build.begin_object(), build.end(), build.end();
    build.end();
    ASSERT_TRUE(build.commit());
    EXPECT_EQ(written(tree.root()),
              "<map xmlns=\"http://www.w3.org/2005/xpath-functions\"><string key=\"name\">a&lt;b</string>"
              "<string key=\"1\">1</string><number key=\"n\">1</number><number key=\"x&amp;y\">0.1</number>"
              "<number key=\"big\">18446744073709551615</number><boolean key=\"yes\">true</boolean>"
              "<null key=\"nil\"/><array key=\"all\"><string></string><map/></array></map>");
}

TEST(xml, refuses_to_write_what_xml_cannot_say) {
    const auto refusal = [](auto make) {
        document tree;
        EXPECT_TRUE(tree.set_root(content::element("a")));
        make(tree);
        return written(tree.root());
    };
    const auto child = [&](const content& what) {
        return refusal([&](document& tree) { EXPECT_TRUE(tree.edit().push_back(what)); });
    };
    EXPECT_EQ(child("x\x01"), "refused: within 'a': a text holds bytes that are no character of XML");
    EXPECT_EQ(child("x\xFF"), "refused: within 'a': a text holds bytes that are no character of XML");
    EXPECT_EQ(child(std::string_view("\0", 1)),
              "refused: within 'a': a text holds bytes that are no character of XML");
    EXPECT_EQ(child(content::element("b c")), "refused: within 'a': this is no name in XML");
    EXPECT_EQ(child(content::element("")), "refused: within 'a': this is no name in XML");
    EXPECT_EQ(child(content::comment("a--b")),
              "refused: within 'a': a comment may not contain '--', nor end in '-'");
    EXPECT_EQ(child(content::comment("a-")),
              "refused: within 'a': a comment may not contain '--', nor end in '-'");
    EXPECT_EQ(child(content::cdata("]]>")), "refused: within 'a': CDATA may not contain ']]>'");
    EXPECT_EQ(child(content::instruction("p", "?>")),
              "refused: within 'a': an instruction may not contain '?>'");
    EXPECT_EQ(child(content::instruction("XML", "")),
              "refused: within 'a': an instruction may not be called 'xml'");
    EXPECT_EQ(child(nullptr),
              "refused: within 'a': null, an array or object within an element has no form in XML");
    EXPECT_EQ(child(content::object()),
              "refused: within 'a': null, an array or object within an element has no form in XML");
    EXPECT_EQ(child(std::numeric_limits<double>::infinity()),
              "refused: within 'a': a number that is not finite has no form in XML");
    EXPECT_EQ(child(7), "<a>7</a>");
    EXPECT_EQ(child(true), "<a>true</a>");
    EXPECT_EQ(refusal([](document& tree) {
                  EXPECT_TRUE(tree.set_root(content::array()) &&
                              tree.edit().push_back(content::element("b")));
              }),
              "refused: an element within an array or object has no form in XML");
    EXPECT_EQ(written(value()), "refused: the root of XML is an element, or a value of JSON");
    buffer out;
    out.append("before");
    document tree;
    ASSERT_TRUE(tree.set_root(content::element("a")) && tree.edit().push_back("\x02"));
    EXPECT_FALSE(write_xml(out, tree.root()));
    EXPECT_EQ(out.text(), "before");
}

// Shortage.

constexpr std::string_view of_all_kinds =
    "<?xml version='1.0'?><root first='a &amp; b' second='a value longer than seven'>text &lt; that is joined"
    "<![CDATA[ of three]]> pieces<child><grandchild deep='1'/></child><!-- a comment --><?target data?></root>";

TEST(xml, survives_each_point_of_shortage) {
    const std::uint64_t points = for_each_failure([](failing_source& source) {
        document tree({.upstream = &source});
        if (!tree.set_root("old")) return;
        const auto done = read_xml(tree, of_all_kinds, keep_all);
        tree.check();
        if (!done) {
            EXPECT_EQ(tree.root().as_text(), "old");
            EXPECT_NE(done.error().text().find("out of memory: failing_source 'for_each_failure' refused"),
                      std::string::npos)
                << done.error().text();
            return;
        }
        buffer out(source);
        const auto wrote = write_xml(out, tree.root());
        EXPECT_EQ(static_cast<bool>(wrote), !out.empty());
    });
    EXPECT_GT(points, 10);
}

TEST(xml, reads_within_the_limit_of_its_document_or_not_at_all) {
    bool refused = false;
    for (std::uint64_t limit = 0;; limit += 64) {
        document tree({.name = "small", .limit_bytes = limit});
        const std::string why = read(tree, of_all_kinds);
        EXPECT_LE(tree.usage().live_bytes, limit);
        if (why.empty()) break;
        refused = true;
        ASSERT_NE(why.find("'small' refused"), std::string::npos) << why;
    }
    EXPECT_TRUE(refused);
}

// Books.

TEST(xml, takes_all_memory_from_its_sources_and_gives_the_scratch_back) {
    page_source pages;
    auditing_source below(pages);
    auditing_source aside(pages);
    {
        const no_allocation nothing_else;
        document tree({.upstream = &below});
        xml_read_options how = keep_all;
        how.scratch = &aside;
        EXPECT_TRUE(read_xml(tree, of_all_kinds, how));
        EXPECT_EQ(aside.live_count(), 0);
        EXPECT_GT(aside.usage().total_count, 0);
        buffer out(aside);
        EXPECT_TRUE(write_xml(out, tree.root()));
    }
    EXPECT_EQ(below.live_count(), 0);
    EXPECT_EQ(aside.live_count(), 0);
}

} // namespace
} // namespace allot
