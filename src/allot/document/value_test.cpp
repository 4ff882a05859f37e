#include <allot/document/value.hpp>

#include <allot/document/document.hpp>
#include <allot/source/default_source.hpp>
#include <allot/structure/concurrent_interner.hpp>
#include <allot/testing/failing_source.hpp>
#include <allot/testing/no_allocation.hpp>
#include <gtest/gtest.h>
#include <iterator>
#include <string>

namespace allot {
namespace {

void use(std::string_view key, value member) {
    EXPECT_EQ(key, "retries");
    EXPECT_TRUE(member.is_integer());
}

TEST(value, usage) {
    document config;
    (void)config.set_root(content::object());
    (void)config.edit().set("retries", 3);
    value root = config.root();
    EXPECT_TRUE(root["retries"].as_int() == 3 && !root["colour"]);
    for (value member : root.children()) use(member.key(), member);
}

TEST(value, of_nothing_answers_every_question) {
    const value none;
    EXPECT_FALSE(none);
    EXPECT_EQ(none.type(), value_type::none);
    EXPECT_EQ(none.size() + none.attribute_count() + none.children().size() + none.attributes().size(), 0u);
    EXPECT_FALSE(none["a"]["b"][3].find(symbol::from_value(1)).attribute("c"));
    EXPECT_EQ(none.as_text("otherwise"), "otherwise");
    EXPECT_EQ(none.key(), "");
    EXPECT_FALSE(none.key_symbol());
    EXPECT_EQ(none.children().begin(), none.children().end());
    EXPECT_EQ(measure(none), tree_size());
    EXPECT_EQ(same_tree(none, none), true);
}

TEST(value, texts_up_to_seven_bytes_take_no_block_and_longer_ones_one) {
    document made;
    ASSERT_TRUE(made.set_root(content::array()));
    for (const std::size_t length : {0, 1, 6, 7, 8, 255, 256, 70'000}) {
        std::string text(length, 'x');
        if (length > 3) text[2] = 0; // a zero is a byte like others
        ASSERT_TRUE(made.edit().push_back(std::string_view(text)));
        const value last = made.root()[made.root().size() - 1];
        EXPECT_EQ(last.as_text(), text);
        EXPECT_EQ(last.as_text().data()[length], 0);
        EXPECT_EQ(measure(last)->bytes, sizeof(detail::tree_cell) + (length > 7 ? length + 9 : 0));
        EXPECT_EQ(measure(last)->text_bytes, length);
    }
    // A text may be set to a part of itself.
    node root = made.edit();
    ASSERT_TRUE(root.set(3, root[3].as_text().substr(3, 4)));
    ASSERT_TRUE(root.set(5, root[5].as_text().substr(1)));
    EXPECT_EQ(root[3].as_text(), "xxxx");
    EXPECT_EQ(root[5].as_text().size(), 254u);
}

TEST(value, measures_what_its_document_holds) {
    document made;
    ASSERT_TRUE(made.set_root(content::object()));
    for (int i = 0; i != 500; ++i)
        ASSERT_TRUE(made.edit().set(std::to_string(i), std::string_view("a text of some length")));
    const std::optional<tree_size> size = measure(made.root());
    ASSERT_TRUE(size);
    EXPECT_EQ(size->value_count, 501u);
    EXPECT_EQ(size->depth, 2u);
    EXPECT_EQ(size->text_bytes, 500u * 21);
    // 511 cells and the extent, 1024 slots of the index, header, own cell, texts.
    EXPECT_EQ(size->bytes, 512u * 16 + 1024 * 4 + 16 + 16 + 500 * 30);
}

TEST(value, same_tree_looks_at_types_keys_order_and_texts) {
    const auto make = [](auto&& edit) {
        document made;
        EXPECT_TRUE(made.set_root(content::object()));
        node root = made.edit();
        EXPECT_TRUE(root.set("a", 1) && root.set("b", content::array()) && root.edit("b").push_back("text"));
        edit(root);
        return made;
    };
    const document plain = make([](node) {});
    const auto differs = [&plain](const document& other) {
        return same_tree(plain.root(), other.root()) == false &&
               same_tree(other.root(), plain.root()) == false;
    };
    EXPECT_EQ(same_tree(plain.root(), make([](node) {}).root()), true); // other interners
    EXPECT_TRUE(differs(make([](node root) { (void)root.set("a", 1.0); })));
    EXPECT_TRUE(differs(make([](node root) { (void)root.set("a", true); })));
    EXPECT_TRUE(differs(make([](node root) { (void)root.set("c", 1); })));
    EXPECT_TRUE(differs(make([](node root) { (void)root.take(1, "a", root, 0); }))); // order
    EXPECT_TRUE(differs(make([](node root) { (void)root.take(0, "A", root, 0); }))); // key
    EXPECT_TRUE(differs(make([](node root) { (void)root.edit("b").set(0, "texT"); })));
    EXPECT_TRUE(differs(make([](node root) { (void)root.edit("b").push_back(nullptr); })));
    EXPECT_EQ(same_tree(plain.root()["a"], make([](node) {}).root()["a"]),
              true); // a member's key is not its own
}

TEST(value, reads_without_allocating_in_a_document_with_a_shared_interner) {
    concurrent_interner keys;
    document first({.shared_keys = &keys});
    document second({.shared_keys = &keys});
    ASSERT_TRUE(first.set_root(content::object()) && first.edit().set("key of both", 1));
    ASSERT_TRUE(second.set_root(first.root()));
    const symbol key = first.find_key("key of both");
    const no_allocation scope;
    EXPECT_EQ(second.root()[key].as_int(), 1);
    EXPECT_EQ(second.root()["key of both"].as_int(), 1);
    EXPECT_FALSE(second.root()["key of none"]);
    EXPECT_EQ(second.root()[0].key(), "key of both");
    EXPECT_EQ(same_tree(first.root(), second.root()), true);
    EXPECT_TRUE(measure(second.root()).has_value());
    EXPECT_EQ(std::distance(second.root().children().begin(), second.root().children().end()), 1);
}

TEST(value, walks_of_deep_trees_say_when_there_is_no_memory) {
    failing_source source(default_source());
    document made({.upstream = &source});
    ASSERT_TRUE(made.set_root(content::array()));
    node at = made.edit();
    for (int depth = 0; depth != 40; ++depth) {
        ASSERT_TRUE(at.push_back(content::array()));
        at = at.edit(std::size_t{0});
    }
    EXPECT_EQ(measure(made.root())->depth, 41u);
    source.plan({.every = 1});
    EXPECT_FALSE(measure(made.root()));
    EXPECT_FALSE(same_tree(made.root(), made.root()[0]).value_or(false));
    EXPECT_TRUE(measure(made.root()[0][0][0][0][0][0][0][0][0][0])); // 31 levels
}

} // namespace
} // namespace allot
