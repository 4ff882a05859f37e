// Trees and texts made at random: read and written, against the peer where it is there.
#include <allot/document/document_builder.hpp>
#include <allot/document/xml.hpp>

#include <gtest/gtest.h>

#include <random>
#include <string>

#if ALLOT_HAS_PUGIXML
#    include <pugixml.hpp>
#endif

namespace allot {
namespace {

using namespace std::string_view_literals;

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

constexpr std::string_view of_all_kinds =
    "<?xml version='1.0'?><root first='a &amp; b' second='a value longer than seven'>text &lt; that is joined"
    "<![CDATA[ of three]]> pieces<child><grandchild deep='1'/></child><!-- a comment --><?target data?></root>";

class random_trees {
public:
    explicit random_trees(unsigned seed) : random_(seed) {}

    void grow(document& tree) {
        document_builder build(tree);
        element(build, 0);
        ASSERT_TRUE(build.commit());
    }

private:
    std::size_t below(std::size_t bound) { return random_() % bound; }
    std::string_view name() {
        constexpr std::string_view names[] = {"a",        "b", "ab", "item",
                                              "xml:lang", "é", "_1", "long-name.of:parts"};
        return names[below(std::size(names))];
    }
    std::string text(std::size_t pieces) {
        constexpr std::string_view some[] = {"x",  "hello", "&", "<", ">",  "\"", "'",     "\n", "\t",
                                             "\r", " ",     "é", "€", "😀", "]]", "&amp;", "-",  "?"};
        std::string made;
        for (std::size_t i = 0; i != pieces; ++i) made += some[below(std::size(some))];
        return made;
    }
    std::string text_without(std::string_view characters) {
        std::string made = "." + text(below(6)) + ".";
        std::erase_if(made, [&](char c) { return characters.find(c) != characters.npos; });
        return made;
    }
    void element(document_builder& build, int depth) {
        build.begin_element(name());
        std::string taken = " ";
        for (std::size_t i = below(4); i != 0; --i) {
            const std::string_view called = name();
            if (taken.find(" " + std::string(called) + " ") != std::string::npos) continue;
            taken += std::string(called) + " ";
            build.attribute(called, text(below(5)));
        }
        bool after_text = false; // two texts in a row would be read as one
        for (std::size_t i = below(6); i != 0; --i) {
            const std::size_t kind = below(8);
            if (kind < 3 && depth < 8)
                element(build, depth + 1);
            else if (kind == 3)
                build.comment(text_without("-\r"));
            else if (kind == 4)
                build.instruction("p", text_without("?\r"));
            else if (kind == 5)
                build.cdata(text_without("]\r"));
            else if (!after_text)
                build.text(text(1 + below(6)));
            after_text = kind > 5 || (kind < 3 && depth >= 8);
        }
        build.end();
    }
    std::mt19937 random_;
};

#if ALLOT_HAS_PUGIXML
void expect_same(value ours, pugi::xml_node theirs) {
    ASSERT_EQ(ours.key(), theirs.name());
    auto attribute = theirs.attributes_begin();
    for (const value each : ours.attributes()) {
        ASSERT_NE(attribute, theirs.attributes_end());
        EXPECT_EQ(each.key(), attribute->name());
        EXPECT_EQ(each.as_text(), attribute->value());
        ++attribute;
    }
    EXPECT_EQ(attribute, theirs.attributes_end());
    pugi::xml_node child = theirs.first_child();
    for (const value each : ours.children()) {
        ASSERT_TRUE(child);
        if (each.is_element())
            expect_same(each, child);
        else
            EXPECT_EQ(each.as_text(), child.value());
        child = child.next_sibling();
    }
    EXPECT_FALSE(child);
}
#endif

TEST(xml_model, reads_random_trees_as_they_were_written) { // B42
    const unsigned seed = std::random_device()();
    SCOPED_TRACE(seed);
    random_trees trees(seed);
    for (int round = 0; round != 300; ++round) {
        document tree;
        trees.grow(tree);
        const std::string text = written(tree.root());
        document again;
        ASSERT_EQ(read(again, text, keep_all), "") << text;
        ASSERT_EQ(same_tree(tree.root(), again.root()), true) << text;
        ASSERT_EQ(written(again.root()), text);
        const std::string pretty = written(tree.root(), {.indent = 3});
        ASSERT_EQ(read(again, pretty, keep_all), "") << pretty;
#if ALLOT_HAS_PUGIXML
        pugi::xml_document peer;
        ASSERT_TRUE(peer.load_buffer(text.data(), text.size(),
                                     pugi::parse_default | pugi::parse_comments | pugi::parse_pi |
                                         pugi::parse_ws_pcdata));
        expect_same(tree.root(), peer.document_element());
#endif
    }
}

TEST(xml_model, never_breaks_on_damaged_texts) {
    const unsigned seed = std::random_device()();
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    for (int round = 0; round != 3000; ++round) {
        std::string text(of_all_kinds);
        for (int i = 0; i != 3; ++i) {
            const std::size_t at = random() % text.size();
            constexpr std::string_view some = "<>&;'\"/=!?-[] x\xC3\x80\0"sv;
            if (random() % 2 == 0)
                text[at] = some[random() % some.size()];
            else
                text.erase(at, random() % 4);
        }
        document tree;
        const std::string why = read(tree, text, keep_all);
        if (!why.empty()) continue;
        const std::string once = written(tree.root());
        document again;
        ASSERT_EQ(read(again, once, keep_all), "") << text;
        ASSERT_EQ(written(again.root()), once) << text;
    }
}

} // namespace
} // namespace allot
