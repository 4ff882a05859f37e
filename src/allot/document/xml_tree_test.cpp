#include <allot/document/xml_tree.hpp>

#include <allot/source/malloc_source.hpp>
#include <allot/testing/auditing_source.hpp>
#include <allot/testing/for_each_failure.hpp>

#include <gtest/gtest.h>

namespace allot {
namespace {

using detail::xml_tree;

TEST(xml_tree, makes_an_element_of_what_was_gathered_for_it) {
    document config;
    const auto build = [&](memory_source& scratch) {
        constexpr const char* shortage = "out of memory";
        xml_tree tree(config, scratch);
        if (!tree.begin("size", tree.intern("size"))) return shortage;
        if (!tree.text("80") || !tree.end()) return shortage;
        tree.commit();
        return "";
    };
    malloc_source scratch;
    EXPECT_STREQ(build(scratch), "");
    EXPECT_EQ(config.root().key(), "size");
    EXPECT_EQ(config.root()[0].as_text(), "80");
    config.check();
}

// An element of 70 empty elements, the 64 cells' block twice, each with an attribute and a long text.
bool grow(xml_tree& tree) {
    const symbol name = tree.intern("a name that is longer than seven bytes");
    if (!name || !tree.begin("root", name)) return false;
    for (int i = 0; i != 70; ++i) {
        if (!tree.begin("child", name) || !tree.attribute(name, "a value of more than seven bytes"))
            return false;
        if (!tree.has_attribute(name)) return false;
        if (i == 69 && !tree.text("a text of more than seven bytes")) return false;
        if (!tree.end()) return false;
    }
    return tree.end();
}

TEST(xml_tree, leaves_the_document_as_it_was_at_each_point_of_shortage) {
    const std::uint64_t points = for_each_failure([](failing_source& source) {
        document config({.upstream = &source});
        if (!config.set_root("old")) return;
        xml_tree tree(config, source);
        const bool done = grow(tree);
        if (done) tree.commit();
        config.check();
        if (done)
            EXPECT_EQ(config.root().size(), 70);
        else
            EXPECT_EQ(config.root().as_text(), "old");
    });
    EXPECT_GT(points, 150);
}

TEST(xml_tree, gives_back_what_was_not_committed) {
    malloc_source below;
    auditing_source source(below);
    {
        document config({.upstream = &source});
        for (const bool is_open : {false, true}) {
            xml_tree tree(config, source);
            ASSERT_TRUE(grow(tree));
            if (!is_open) continue;
            ASSERT_TRUE(tree.begin("another", tree.intern("b")) && tree.text("a text that nobody will see"));
            EXPECT_EQ(tree.depth(), 1);
            EXPECT_EQ(tree.called(), "another");
        }
        EXPECT_FALSE(config.root());
    }
    EXPECT_EQ(source.live_count(), 0);
}

} // namespace
} // namespace allot
