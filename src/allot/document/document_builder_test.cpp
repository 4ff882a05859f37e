#include <allot/document/document_builder.hpp>

#include <allot/source/default_source.hpp>
#include <allot/structure/interner.hpp>
#include <allot/testing/auditing_source.hpp>
#include <allot/testing/failing_source.hpp>
#include <allot/testing/for_each_failure.hpp>
#include <gtest/gtest.h>
#include <string>

namespace allot {
namespace {

bool build_samples(document& numbers) {
    document_builder build(numbers);
    build.begin_object(2);
    build.key("unit");
    build.text("ms");
    build.key("samples");
    build.begin_array(); // of a size that is not known
    for (int i = 0; i != 100; ++i) build.integer(i);
    build.end();
    build.end();
    if (!build.commit()) return false;
    return true;
}

TEST(document_builder, usage) {
    document numbers;
    ASSERT_TRUE(build_samples(numbers));
    EXPECT_EQ(numbers.root()["unit"].as_text(), "ms");
    EXPECT_EQ(numbers.root()["samples"].size(), 100u);
    EXPECT_EQ(numbers.root()["samples"][99].as_int(), 99);
    numbers.check();
}

TEST(document_builder, changes_nothing_before_commit) {
    auditing_source audited(default_source());
    document made({.upstream = &audited});
    ASSERT_TRUE(made.set_root("before"));
    {
        document_builder build(made);
        build.begin_array(5);
        build.begin_object();
        build.key("a");
        build.text("a text of more than seven bytes");
        build.key("b");
        build.begin_array();
        build.null();
    } // dropped with three open
    EXPECT_EQ(made.root().as_text(), "before");
    document_builder build(made);
    build.begin_array(1);
    build.text("dropped, too, and long enough");
    build.reset();
    build.boolean(true);
    EXPECT_EQ(made.root().as_text(), "before");
    ASSERT_TRUE(build.commit());
    EXPECT_TRUE(made.root().as_bool());
    build.integer(7); // and again
    ASSERT_TRUE(build.commit());
    EXPECT_EQ(made.root().as_int(), 7);
    made.clear();
    EXPECT_EQ(audited.live_count(), 0u);
}

TEST(document_builder, mixes_counted_and_gathered_containers) {
    document made;
    document_builder build(made);
    build.begin_array();
    for (int i = 0; i != 200; ++i) {
        build.begin_array(2);
        build.integer(i);
        build.begin_object();
        for (int k = 0; k != i; ++k) {
            build.key("key " + std::to_string(k));
            if (k % 2 == 0)
                build.unsigned_integer(UINT64_MAX - static_cast<unsigned>(k));
            else {
                build.begin_array(0);
                build.end();
            }
        }
        build.end();
        build.end();
    }
    build.end();
    ASSERT_TRUE(build.commit());
    made.check();
    ASSERT_EQ(made.root().size(), 200u);
    for (std::size_t i = 0; i != 200; ++i) {
        const value pair = made.root()[i];
        EXPECT_EQ(pair[0].as_uint(), i);
        ASSERT_EQ(pair[1].size(), i);
        for (std::size_t k = 0; k != i; ++k) {
            const value member = pair[1]["key " + std::to_string(k)];
            EXPECT_EQ(member, pair[1][k]);
            EXPECT_EQ(member.type(), k % 2 == 0 ? value_type::unsigned_integer : value_type::array);
        }
    }
}

TEST(document_builder, elements_have_attributes_before_children) {
    document made;
    document_builder build(made);
    build.begin_element("page");
    build.attribute("lang", "en");
    build.attribute("title", "long enough for a block");
    build.comment("of no use");
    build.begin_element("p", 1);
    build.text("text");
    build.end();
    build.instruction("php", "echo");
    build.cdata("<>");
    build.end();
    ASSERT_TRUE(build.commit());
    made.check();
    const value page = made.root();
    EXPECT_EQ(page.key(), "page");
    EXPECT_EQ(page.attribute_count(), 2u);
    EXPECT_EQ(page.attribute("title").as_text(), "long enough for a block");
    EXPECT_FALSE(page.attribute("p"));
    ASSERT_EQ(page.size(), 4u);
    EXPECT_EQ(page[0].type(), value_type::comment);
    EXPECT_EQ(page["p"][0].as_text(), "text");
    EXPECT_FALSE(page["lang"]);
    EXPECT_EQ(page[2].key(), "php");
    EXPECT_EQ(page[3].as_text(), "<>");
    ASSERT_TRUE(made.edit().set_attribute("lang", "de"));
    ASSERT_TRUE(made.edit().set_attribute("new", "1"));
    ASSERT_TRUE(made.edit().erase_attribute("title"));
    EXPECT_FALSE(made.edit().erase_attribute("title"));
    ASSERT_TRUE(made.edit().insert(0, "first"));
    ASSERT_TRUE(made.edit().insert(1, content::instruction("a", "b")));
    made.check();
    EXPECT_EQ(made.root().attributes()[1].key(), "new");
    EXPECT_EQ(made.root()[0].as_text(), "first");
}

// One small object and one with an index; the second comes with an exact count and without.
TEST(document_builder, duplicate_keys_go_by_the_policy) {
    for (const int size : {4, 100})
        for (const bool counted : {true, false})
            for (const auto policy : {duplicate_keys::last, duplicate_keys::first, duplicate_keys::refuse}) {
                auditing_source audited(default_source());
                document made({.upstream = &audited});
                document_builder build(made, policy);
                build.begin_object(counted ? static_cast<std::size_t>(size) : document_builder::unknown);
                for (int i = 0; i != size; ++i) {
                    build.key("key " + std::to_string(i % (size - 2))); // two come again
                    build.text("a long text of member " + std::to_string(i));
                }
                const bool ended = build.end();
                if (policy == duplicate_keys::refuse) {
                    EXPECT_FALSE(ended || build.commit());
                    EXPECT_EQ(made.key_text(build.duplicate_key()), "key 0");
                    continue;
                }
                ASSERT_TRUE(ended && build.commit());
                made.check();
                ASSERT_EQ(made.root().size(), static_cast<std::size_t>(size - 2));
                const int shown = policy == duplicate_keys::last ? size - 1 : 1;
                EXPECT_EQ(made.root()["key 1"].as_text(), "a long text of member " + std::to_string(shown));
                EXPECT_EQ(made.root()[1].key(), "key 1"); // in the first one's place
                ASSERT_TRUE(made.edit().erase("key 0"));
                ASSERT_TRUE(made.edit().set("key 0", 1));
                made.check();
            }
}

TEST(document_builder, a_shortage_at_any_point_leaves_the_document_as_it_was) {
    const std::uint64_t points = for_each_failure([](failing_source& source) {
        document made({.upstream = &source});
        if (!made.set_root("before")) return;
        if (!build_samples(made))
            EXPECT_EQ(made.root().as_text(), "before");
        else
            EXPECT_EQ(made.root().size(), 2u);
        made.check();
    });
    EXPECT_GT(points, 5u);
}

TEST(document_builder, a_tree_deeper_than_a_stack_of_calls_is_built_copied_compared_and_freed) { // B43
    constexpr std::uint32_t depth = 1'000'000;
    auditing_source audited(default_source());
    {
        document made({.upstream = &audited});
        document_builder build(made);
        for (std::uint32_t i = 0; i != depth; ++i) {
            if (i % 2 == 0)
                build.begin_array(1);
            else {
                build.begin_object(1);
                build.key("k");
            }
        }
        build.text("the bottom of a well");
        for (std::uint32_t i = 0; i != depth; ++i) build.end();
        ASSERT_TRUE(build.commit());
        document copy;
        ASSERT_TRUE(copy.set_root(made.root()));
        EXPECT_EQ(same_tree(copy.root(), made.root()), true);
        const std::optional<tree_size> size = measure(copy.root());
        ASSERT_TRUE(size);
        EXPECT_EQ(size->depth, depth + 1);
        EXPECT_EQ(size->value_count, depth + 1);
        ASSERT_TRUE(copy.set_root(nullptr)); // frees it
        ASSERT_TRUE(made.edit().push_back(1));
    }
    EXPECT_EQ(audited.live_count(), 0u);
}

TEST(document_builder, a_tree_of_a_million_children_is_built_copied_compared_and_freed) { // B43
    constexpr std::uint32_t breadth = 1'000'000;
    document made;
    document_builder build(made);
    build.begin_array();
    for (std::uint32_t i = 0; i != breadth; ++i) {
        build.begin_array(1);
        build.integer(i);
        build.end();
    }
    build.end();
    ASSERT_TRUE(build.commit());
    document copy;
    ASSERT_TRUE(copy.set_root(made.root()));
    EXPECT_EQ(same_tree(copy.root(), made.root()), true);
    const std::optional<tree_size> size = measure(copy.root());
    EXPECT_EQ(size->value_count, 2 * breadth + 1);
    EXPECT_LE(size->bytes, 24u * size->value_count + 16);
    copy.clear();
    made.clear();
}

// B44: siblings are contiguous: by number O(1), by key an index. Counted in cells and slots, not in time.
TEST(document_builder, a_look_up_among_a_hundred_thousand_siblings_is_flat) {
    interner keys;
    document made({.keys = &keys});
    document_builder build(made);
    build.begin_object(100'000);
    for (int i = 0; i != 100'000; ++i) {
        build.key("member number " + std::to_string(i));
        build.integer(i);
    }
    build.end();
    ASSERT_TRUE(build.commit());
    const detail::tree_node& node = *detail::tree_access::cell(made.root())->node;
    const std::uint32_t slots = node.index_slots();
    std::uint64_t visited = 0;
    std::uint64_t most = 0;
    for (std::uint32_t at = 0; at != node.size(); ++at) {
        std::uint64_t steps = 1;
        std::uint32_t slot = detail::tree_node::slot_of(node.cells[at].key, slots);
        for (; node.index()[slot] != at + 1; slot = (slot + 1) & (slots - 1)) ++steps;
        visited += steps;
        most = std::max(most, steps);
    }
    EXPECT_LE(visited, 2u * node.size());
    EXPECT_LE(most, 64u);
    EXPECT_EQ(made.root()["member number 99999"].as_int(), 99'999);
    EXPECT_EQ(made.root()[50'000].as_int(), 50'000);
}

} // namespace
} // namespace allot
