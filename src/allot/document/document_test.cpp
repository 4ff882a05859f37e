#include <allot/document/document.hpp>

#include <algorithm>
#include <allot/core/bytes.hpp>
#include <allot/source/default_source.hpp>
#include <allot/structure/arena.hpp>
#include <allot/structure/interner.hpp>
#include <allot/testing/auditing_source.hpp>
#include <allot/testing/failing_source.hpp>
#include <allot/testing/for_each_failure.hpp>
#include <allot/testing/no_allocation.hpp>
#include <gtest/gtest.h>
#include <limits>
#include <random>
#include <string>
#include <vector>

namespace allot {
namespace {

TEST(document, usage) {
    document memory({.name = "agent", .limit_bytes = mebibytes(1)});
    (void)memory.set_root(content::object());
    node root = memory.edit();
    (void)root.set("role", "reviewer");
    (void)root.set("thoughts", content::array());
    (void)root.edit("thoughts").push_back("read the header first");
    document before = memory.snapshot();
    (void)memory.edit().edit("thoughts").erase(0);
    EXPECT_TRUE(memory.root()["thoughts"].size() == 0 && before.root()["thoughts"].size() == 1);
    EXPECT_EQ(before.root()["thoughts"][0].as_text(), "read the header first");
    memory.check();
    before.check();
}

// A document with every type in it: {"null":…, "list":[…], "page": <p class="a">text</p>, …}.
bool fill(document& into, std::string_view text = "a text of more than seven bytes") {
    if (!into.set_root(content::object())) return false;
    node root = into.edit();
    bool done = root.set("null", nullptr) && root.set("yes", true) && root.set("least", INT64_MIN) &&
                root.set("most", UINT64_MAX) && root.set("real", 0.1) && root.set("short", "seven b") &&
                root.set("long", text) && root.set("list", content::array()) &&
                root.set("inner", content::object());
    if (!done) return false;
    node list = root.edit("list");
    node inner = root.edit("inner");
    for (int i = 0; i != 40; ++i)
        if (!list.push_back(i) || !inner.set("member " + std::to_string(i), text)) return false;
    return list.push_back(content::array()) && list.edit(40).push_back(content::element("p")) &&
           list.edit(40).edit(0).set_attribute("class", "a") && list.edit(40).edit(0).push_back(text);
}

TEST(document, keeps_numbers_exact_and_types_apart) {
    document made;
    ASSERT_TRUE(fill(made));
    const value root = made.root();
    EXPECT_TRUE(root["null"].is_null());
    EXPECT_TRUE(root["yes"].as_bool());
    EXPECT_EQ(root["least"].as_int(), INT64_MIN);
    EXPECT_EQ(root["most"].as_uint(), UINT64_MAX);
    EXPECT_EQ(root["most"].type(), value_type::unsigned_integer);
    EXPECT_EQ(root["most"].as_int(-7), -7);
    EXPECT_EQ(root["least"].as_uint(7), 7u);
    EXPECT_EQ(root["real"].as_double(), 0.1);
    EXPECT_EQ(root["real"].as_int(-7), -7);
    EXPECT_EQ(root["yes"].as_int(-7), -7);
    EXPECT_EQ(root["short"].as_text(), "seven b");
    EXPECT_EQ(root["long"].as_text(), "a text of more than seven bytes");
    EXPECT_EQ(root["long"].as_text().data()[31], 0);
    EXPECT_EQ(root["list"][39].as_int(), 39);
    EXPECT_EQ(root["inner"]["member 39"].as_text().size(), 31u);
    EXPECT_FALSE(root["inner"]["member 40"]["nothing"][3]);
    made.check();
}

TEST(document, converts_numbers_only_where_nothing_is_lost) {
    document made;
    ASSERT_TRUE(made.set_root(content::array()));
    node root = made.edit();
    const double infinity = std::numeric_limits<double>::infinity();
    for (double real : {3.0, 3.5, 0x1p63, -0x1p63, infinity, std::numeric_limits<double>::quiet_NaN()})
        ASSERT_TRUE(root.push_back(real));
    ASSERT_TRUE(root.push_back(std::uint64_t{1} << 62)); // fits the signed: is one
    EXPECT_EQ(root[0].as_int(-7), 3);
    EXPECT_EQ(root[1].as_int(-7), -7);
    EXPECT_EQ(root[2].as_int(-7), -7);
    EXPECT_EQ(root[3].as_int(-7), INT64_MIN);
    EXPECT_EQ(root[4].as_int(-7), -7);
    EXPECT_EQ(root[5].as_int(-7), -7);
    EXPECT_EQ(root[6].type(), value_type::integer);
}

TEST(document, keeps_the_order_of_members_through_replacing_and_erasing) {
    document made;
    ASSERT_TRUE(made.set_root(content::object()));
    node root = made.edit();
    for (const char* key : {"one", "two", "three", "four"}) ASSERT_TRUE(root.set(key, key));
    ASSERT_TRUE(root.set("two", 2));
    ASSERT_TRUE(root.erase("three"));
    ASSERT_TRUE(root.insert(0, "zero", 0));
    EXPECT_FALSE(root.insert(0, "zero", 1)); // B42: a key is there once
    EXPECT_FALSE(root.push_back(1));         // and every member has one
    std::string keys;
    for (value member : made.root().children()) keys.append(member.key()) += ' ';
    EXPECT_EQ(keys, "zero one two four ");
    made.check();
}

TEST(document, refuses_what_is_not_there_and_changes_nothing) {
    document made;
    EXPECT_FALSE(made.edit());
    EXPECT_FALSE(node().set(0, 1));
    EXPECT_FALSE(made.set_root(value())); // of nothing
    ASSERT_TRUE(fill(made));
    document before = made.snapshot();
    node root = made.edit();
    EXPECT_FALSE(root.set(99, 1));
    EXPECT_FALSE(root.insert(99, "new", 1));
    EXPECT_FALSE(root.erase(99));
    EXPECT_FALSE(root.erase("nobody"));
    EXPECT_FALSE(root.edit("long"));                       // no container
    EXPECT_FALSE(root.set("page", content::element("p"))); // its name is no key
    EXPECT_FALSE(root.edit("list").set("key", 1));
    EXPECT_FALSE(root.edit("list").set_attribute("name", "text"));
    EXPECT_EQ(same_tree(made.root(), before.root()), true);
}

TEST(document, finds_every_member_of_a_big_object_through_random_edits) {
    document made;
    ASSERT_TRUE(made.set_root(content::object()));
    node root = made.edit();
    std::mt19937_64 random(11);
    std::vector<int> order; // of the members, as they should be
    for (int step = 0; step != 3000; ++step) {
        const int wanted = static_cast<int>(random() % 300);
        const std::string key = std::to_string(wanted);
        const auto known = std::find(order.begin(), order.end(), wanted);
        if (known != order.end()) {
            ASSERT_EQ(root.index_of(key), static_cast<std::size_t>(known - order.begin()));
            ASSERT_TRUE(root.erase(key));
            order.erase(known);
        } else {
            const std::size_t at = random() % 2 == 0 ? order.size() : random() % (order.size() + 1);
            ASSERT_TRUE(root.insert(at, key, wanted));
            order.insert(order.begin() + static_cast<std::ptrdiff_t>(at), wanted);
        }
        if (step % 50 == 0) made.check();
    }
    ASSERT_EQ(root.size(), order.size());
    for (int key : order) EXPECT_EQ(root.find(std::to_string(key)).as_int(), key);
}

// LK6: a handle that outlives its container is refused, at every check level.
TEST(document, refuses_a_handle_of_an_erased_container) {
    document made;
    ASSERT_TRUE(fill(made));
    node root = made.edit();
    node list = root.edit("list");
    node inner = root.edit("inner");
    ASSERT_TRUE(root.insert(0, "before", 1)); // siblings come and go
    ASSERT_TRUE(root.erase("null"));
    ASSERT_TRUE(list.push_back(1));
    ASSERT_TRUE(root.erase("list"));
    EXPECT_FALSE(list.is_live());
    EXPECT_FALSE(list.push_back(1));
    EXPECT_EQ(list.size(), 0u);
    ASSERT_TRUE(root.set("list", content::array())); // takes the same header
    EXPECT_FALSE(list.is_live());
    ASSERT_TRUE(root.set("inner", 1));
    EXPECT_FALSE(inner.is_live());
    document later = made.snapshot();
    EXPECT_FALSE(root.set("after", 1));
    root = made.edit();
    made.clear();
    EXPECT_FALSE(root.is_live());
    EXPECT_FALSE(made.root());
    later.check();
}

TEST(document, moves_subtrees_without_a_copy) {
    document made;
    ASSERT_TRUE(fill(made));
    node root = made.edit();
    node list = root.edit("list");
    node inner = root.edit("inner");
    const std::uint64_t blocks = made.usage().total_count;
    ASSERT_TRUE(inner.take(0, "list", root, root.index_of("list")));
    EXPECT_LE(made.usage().total_count, blocks + 1); // room for one more member at most
    EXPECT_TRUE(list.push_back("the handle is still good"));
    EXPECT_EQ(made.root()["inner"]["list"].size(), 42u);
    EXPECT_FALSE(made.root()["list"]);
    // Its own child, and itself, would be a cycle (LK3).
    EXPECT_FALSE(list.take(0, root, root.index_of("inner")));
    EXPECT_FALSE(inner.take(0, "self", root, root.index_of("inner")));
    EXPECT_FALSE(inner.take(0, "member 1", root, root.index_of("real"))); // there already
    ASSERT_TRUE(inner.take(3, "renamed", inner, inner.index_of("member 0")));
    EXPECT_EQ(made.root()["inner"][3].key(), "renamed");
    EXPECT_FALSE(made.root()["inner"]["member 0"]);
    ASSERT_TRUE(list.take(41, list, 0)); // to the end
    EXPECT_EQ(list[41].as_int(-1), 0);
    ASSERT_TRUE(list.take(0, list, 41)); // and back
    EXPECT_EQ(list[0].as_int(-1), 0);
    made.check();
    ASSERT_TRUE(root.swap(0, list, 1)); // across two levels
    EXPECT_EQ(made.root()["null"].as_int(), 1);
    EXPECT_FALSE(root.swap(root.index_of("inner"), list, 1)); // that holds the list
    made.check();
}

TEST(document, copies_deep_across_documents_and_interners) {
    auditing_source audited(default_source());
    document copy({.upstream = &audited});
    {
        document made;
        ASSERT_TRUE(fill(made));
        ASSERT_TRUE(copy.set_root(content::array()));
        ASSERT_TRUE(copy.edit().push_back(made.root()));
        ASSERT_TRUE(copy.edit().push_back(made.root()["list"][40][0])); // an element keeps its name
        EXPECT_EQ(same_tree(made.root(), copy.root()[0]), true);
        copy.check();
    }
    EXPECT_EQ(copy.root()[0]["inner"]["member 7"].as_text(), "a text of more than seven bytes");
    EXPECT_EQ(copy.root()[1].key(), "p");
    EXPECT_EQ(copy.root()[1].attribute("class").as_text(), "a");
    // Within a document, and into what is copied.
    ASSERT_TRUE(copy.edit().edit(std::size_t{0}).edit("list").push_back(copy.root()));
    EXPECT_EQ(copy.root()[0]["list"][41].size(), 2u);
    copy.check();
    copy.clear();
    EXPECT_EQ(audited.live_count(), 0u);
}

TEST(document, a_shortage_at_any_point_leaves_the_tree_as_it_was) {
    interner keys;
    document other({.keys = &keys});
    ASSERT_TRUE(fill(other));
    for_each_failure([&](failing_source& source) {
        document made({.upstream = &source, .keys = &keys});
        if (!fill(made)) return made.check();
        document before = made.snapshot();
        bool done = true;
        const auto attempt = [&](auto edit) {
            if (!done) return;
            document then = made.snapshot();
            done = edit();
            made.check();
            if (!done) {
                EXPECT_EQ(same_tree(made.root(), then.root()).value_or(true), true);
            }
        };
        attempt([&] { return made.edit().set("long", "another text of some length"); });
        attempt([&] { return made.edit().edit("list").insert(3, other.root()); });
        attempt([&] { return made.edit().insert(2, "more", content::object()); });
        attempt([&] { return made.edit().edit("list").edit(41).edit(0).set_attribute("b", "12345678"); });
        attempt([&] {
            node root = made.edit();
            node list = root.edit("list");
            return list && list.take(0, root, 1);
        });
        EXPECT_TRUE(done || source.refused_count() != 0);
    });
}

TEST(document, never_takes_more_than_its_limit) {
    auditing_source audited(default_source());
    document made({.name = "small", .upstream = &audited, .limit_bytes = kibibytes(32)});
    ASSERT_TRUE(made.set_root(content::object()));
    node root = made.edit();
    int count = 0;
    while (root.set("member " + std::to_string(count), "a text of more than seven bytes")) ++count;
    EXPECT_GT(count, 100);
    EXPECT_EQ(last_refusal().who.view(), "small");
    EXPECT_EQ(last_refusal().limit_bytes, kibibytes(32));
    EXPECT_LE(audited.usage().peak_live_bytes, kibibytes(32));
    EXPECT_EQ(audited.live_bytes(), made.usage().live_bytes);
    EXPECT_GT(made.usage().refused_count, 0u);
    EXPECT_EQ(root.size(), static_cast<std::size_t>(count));
    made.check();
    document none({.limit_bytes = 8});
    EXPECT_FALSE(none.set_root(1));
}

TEST(document, takes_all_memory_from_its_source_and_gives_it_back) {
    auditing_source audited(default_source());
    {
        document made({.upstream = &audited});
        no_allocation scope;
        ASSERT_TRUE(made.set_root(content::object()));
        node root = made.edit();
        for (int i = 0; i != 100; ++i) {
            char key[] = {'k', static_cast<char>('0' + i / 10), static_cast<char>('0' + i % 10), 0};
            ASSERT_TRUE(root.set(key, "a text of more than seven bytes"));
        }
        document before = made.snapshot();
        ASSERT_TRUE(made.edit().erase(50));
    }
    EXPECT_EQ(audited.live_count(), 0u);
}

TEST(document, in_an_arena_ends_without_a_look_at_its_values) {
    arena request;
    {
        document made({.upstream = &request});
        ASSERT_TRUE(fill(made));
        document before = made.snapshot();
        made = before.snapshot();
        EXPECT_EQ(made.root()["list"].size(), 41u);
    }
    request.reset();
}

} // namespace
} // namespace allot
