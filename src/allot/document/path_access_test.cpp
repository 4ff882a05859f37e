#include <allot/core/out_of_memory.hpp>
#include <allot/document/compiled_path.hpp>
#include <allot/document/json_pointer.hpp>
#include <allot/document/path_access.hpp>
#include <allot/source/default_source.hpp>
#include <allot/source/malloc_source.hpp>
#include <allot/testing/auditing_source.hpp>
#include <allot/testing/failing_source.hpp>
#include <allot/testing/for_each_failure.hpp>
#include <allot/testing/no_allocation.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <random>
#include <string>

namespace allot {
namespace {

// Usage.

TEST(path_access, reads_sets_and_erases_what_a_path_leads_to) {
    document memory({.name = "agent"});
    EXPECT_TRUE(set_at(memory, "agent.notes[0].text", "read the header first"));
    EXPECT_TRUE(set_at(memory, "agent.notes[-].text", "then the test"));
    EXPECT_TRUE(value_at(memory.root(), "agent.notes[1].text").as_text() == "then the test");
    EXPECT_TRUE(value_at(memory.root(), json_pointer("/agent/notes")).size() == 2);
    EXPECT_TRUE(!value_at(memory.root(), "agent.mood"));
    EXPECT_TRUE(!set_at(memory, "agent.notes.text", "") && !set_at(memory, "agent.notes[5]", ""));
    EXPECT_TRUE(erase_at(memory, "agent.notes[0]").value() && !erase_at(memory, "agent.mood").value());
}

TEST(compiled_path, finds_by_numbers_what_its_text_leads_to) {
    document packages;
    EXPECT_TRUE(set_at(packages, R"(versions["3.21.1"].dist.tarball)", "express-3.21.1.tgz"));
    const result<compiled_path> way = compiled_path::make(R"(versions["3.21.1"].dist.tarball)", packages);
    EXPECT_TRUE(value_at(packages.root(), *way).as_text() == "express-3.21.1.tgz");
}

// Edges.

// { "foo": ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2, "e^f": 3, "g|h": 4, "i\\j": 5, "k\"l": 6, " ": 7, "m~n": 8 }
void set_example(document& to) {
    ASSERT_TRUE(to.set_root(content::object()));
    node root = to.edit();
    ASSERT_TRUE(root.set("foo", content::array()));
    ASSERT_TRUE(root.edit("foo").push_back("bar") && root.edit("foo").push_back("baz"));
    int number = 0;
    for (const char* name : {"", "a/b", "c%d", "e^f", "g|h", "i\\j", "k\"l", " ", "m~n"})
        ASSERT_TRUE(root.set(name, number++));
}

TEST(json_pointer, finds_what_the_standard_shows) { // RFC 6901, sections 5 and 6
    document example;
    set_example(example);
    const value root = example.root();
    EXPECT_EQ(value_at(root, json_pointer("")), root);
    EXPECT_EQ(value_at(root, json_pointer("#")), root);
    EXPECT_EQ(value_at(root, json_pointer("/foo")).size(), 2);
    EXPECT_EQ(value_at(root, json_pointer("/foo/0")).as_text(), "bar");
    const char* pointers[] = {"/", "/a~1b", "/c%d", "/e^f", "/g|h", "/i\\j", "/k\"l", "/ ", "/m~0n"};
    const char* fragments[] = {"#/",      "#/a~1b",  "#/c%25d", "#/e%5Ef", "#/g%7Ch",
                               "#/i%5Cj", "#/k%22l", "#/%20",   "#/m~0n"};
    for (int i = 0; i != 9; ++i) {
        EXPECT_EQ(value_at(root, json_pointer(pointers[i])).as_int(-1), i) << pointers[i];
        EXPECT_EQ(value_at(root, json_pointer(fragments[i])).as_int(-1), i) << fragments[i];
    }
    EXPECT_FALSE(value_at(root, json_pointer("/foo/-")));
    EXPECT_FALSE(value_at(root, json_pointer("/foo/00")));
    EXPECT_TRUE(set_at(example, json_pointer("/foo/-"), "appended"));
    EXPECT_EQ(value_at(example.root(), json_pointer("/foo/2")).as_text(), "appended");
}

TEST(path_access, reaches_members_with_dots_and_digits) { // B45
    document models;
    ASSERT_TRUE(set_at(models, R"(llm\.gpt-3\.5.price)", 2));
    EXPECT_EQ(models.root()["llm.gpt-3.5"]["price"].as_int(), 2);
    EXPECT_EQ(value_at(models.root(), R"(["llm.gpt-3.5"].price)").as_int(), 2);
    EXPECT_EQ(value_at(models.root(), json_pointer("/llm.gpt-3.5/price")).as_int(), 2);
    EXPECT_FALSE(value_at(models.root(), "llm.gpt-3.5.price"));
    ASSERT_TRUE(set_at(models, "by_id.3", "three")); // creates an object, not four items
    EXPECT_TRUE(models.root()["by_id"].is_object());
    ASSERT_TRUE(set_at(models, "list[0]", "zero") && set_at(models, "list.1", "one"));
    EXPECT_EQ(value_at(models.root(), "list.1").as_text(), "one");
    EXPECT_EQ(value_at(models.root(), "list[1]").as_text(), "one");
    EXPECT_FALSE(value_at(models.root(), "by_id[3]")); // members have no numbers
    EXPECT_FALSE(value_at(models.root(), "by_id[0]"));
}

TEST(path_access, creates_on_the_way_and_from_nothing) {
    document made;
    ASSERT_TRUE(set_at(made, "[0][0].a", 1));
    EXPECT_EQ(made.root()[0][0]["a"].as_int(), 1);
    ASSERT_TRUE(set_at(made, "[-][-]", 2));
    EXPECT_EQ(made.root()[1][0].as_int(), 2);
    ASSERT_TRUE(set_at(made, "", content::object()));
    EXPECT_TRUE(made.root().is_object() && made.root().size() == 0);
    ASSERT_TRUE(set_at(made, "a.b.c", content::array()) && set_at(made, "a.b.c[-]", true));
    ASSERT_TRUE(set_at(made, "a.b", "replaced"));
    EXPECT_EQ(made.root()["a"]["b"].as_text(), "replaced");
    made.check();
}

TEST(path_access, says_where_it_cannot_go_on_and_changes_nothing) {
    document memory;
    ASSERT_TRUE(set_at(memory, "a.text", "b") && set_at(memory, "a.list[0]", nullptr));
    document before = memory.snapshot();
    const struct {
        const char* text;
        const char* what;
    } wrong[] = {
        {"a.text.b", "column 8: what stands before it is a text"},
        {"a.text.b.c", "column 8: what stands before it is a text"},
        {"a.list[0].b", "column 11: what stands before it is null"},
        {"a.list.b", "column 8: what stands before it is an array"},
        {"a.list[2]", "column 7: the array has 1 items"},
        {"a.list[2].b", "column 7: the array has 1 items"},
        {"a.new[1]", "column 6: the array has 0 items"},
        {"a[0]", "column 2: what stands before it is an object"},
        {"a.@id", "column 3: what stands before it is an object"},
        {"a.new.@id", "column 7: there is no element to have the attribute"},
        {"a.new..b", "column 7: a name is missing"},
        {"a.text..b", "column 8: a name is missing"},
    };
    for (const auto& each : wrong) {
        const result<void> done = set_at(memory, each.text, 1);
        ASSERT_FALSE(done) << each.text;
        EXPECT_EQ(done.error().text(), "path '" + std::string(each.text) + "', " + each.what);
        EXPECT_EQ(same_tree(memory.root(), before.root()), true) << each.text;
    }
    EXPECT_EQ(find_at(memory.root(), "a.mood.b").error().text(),
              "path 'a.mood.b', column 3: nothing is there");
    EXPECT_EQ(find_at(memory.root(), "a.list[1]").error().text(),
              "path 'a.list[1]', column 7: the array has 1 items");
    EXPECT_EQ(find_at(memory.root(), "a.text").value().as_text(), "b");
    EXPECT_EQ(erase_at(memory, "").error().text(), "path '', column 1: the root is not erased by a path");
    EXPECT_FALSE(erase_at(memory, "a..b"));
    EXPECT_FALSE(erase_at(memory, "a.text.b").value());
    EXPECT_EQ(find_at(value(), "").error().text(), "path '', column 1: nothing is there");
    memory.check();
}

TEST(path_access, follows_elements_and_attributes) {
    document config;
    ASSERT_TRUE(config.set_root(content::element("config")));
    node root = config.edit();
    ASSERT_TRUE(root.push_back("text") && root.push_back(content::element("server")) &&
                root.push_back(content::element("server")));
    ASSERT_TRUE(root.edit(1).set_attribute("port", "80") && root.edit(1).push_back("first"));
    EXPECT_EQ(value_at(config.root(), "server.@port").as_text(), "80");
    EXPECT_EQ(value_at(config.root(), "[1].@port").as_text(), "80");
    EXPECT_EQ(value_at(config.root(), "server[0]").as_text(), "first");
    EXPECT_EQ(value_at(config.root(), json_pointer("/server/0")).as_text(), "first");
    EXPECT_FALSE(value_at(config.root(), "[2].@port"));
    EXPECT_TRUE(set_at(config, "server.@port", "8080") && set_at(config, "[2].@port", "81"));
    EXPECT_TRUE(set_at(config, "server[-]", "second"));
    EXPECT_EQ(value_at(config.root(), "[1].@port").as_text(), "8080");
    EXPECT_EQ(value_at(config.root(), "[2].@port").as_text(), "81");
    EXPECT_EQ(value_at(config.root(), "server[1]").as_text(), "second");
    EXPECT_EQ(set_at(config, "server.@port", 1).error().text(),
              "path 'server.@port', column 8: that cannot stand there");
    EXPECT_FALSE(set_at(config, "client.name", "x"));
    EXPECT_TRUE(erase_at(config, "server.@port").value());
    EXPECT_FALSE(erase_at(config, "server.@port").value());
    const result<compiled_path> port = compiled_path::make("[2].@port", config);
    EXPECT_EQ(value_at(config.root(), *port).as_text(), "81");
    config.check();
}

TEST(path_access, looks_up_among_100000_siblings_as_fast_as_among_100) { // B44
    const auto time_of = [](int sibling_count) {
        document many;
        EXPECT_TRUE(set_at(many, "all", content::object()));
        node all = many.edit().edit("all");
        for (int i = 0; i != sibling_count; ++i) EXPECT_TRUE(all.set("key " + std::to_string(i), i));
        const std::string last = "all.key " + std::to_string(sibling_count - 1);
        auto least = std::chrono::steady_clock::duration::max();
        for (int round = 0; round != 20; ++round) {
            const auto start = std::chrono::steady_clock::now();
            for (int i = 0; i != 100; ++i) EXPECT_EQ(value_at(many.root(), last).as_int(), sibling_count - 1);
            least = std::min(least, std::chrono::steady_clock::now() - start);
        }
        return least;
    };
    EXPECT_LT(time_of(100'000), 30 * time_of(100)); // a list's would be 1000 times that
}

TEST(path_access, edits_one_document_and_not_its_snapshots) {
    document memory;
    ASSERT_TRUE(set_at(memory, "a.b[0].c", 1));
    document before = memory.snapshot();
    ASSERT_TRUE(set_at(memory, "a.b[0].c", 2) && set_at(memory, "a.b[-].d.e", 3));
    EXPECT_EQ(value_at(before.root(), "a.b[0].c").as_int(), 1);
    EXPECT_EQ(value_at(before.root(), "a.b").size(), 1);
    EXPECT_TRUE(erase_at(memory, "a.b").value());
    EXPECT_EQ(value_at(before.root(), "a.b[0].c").as_int(), 1);
}

TEST(compiled_path, tells_a_wrong_path_and_may_be_empty_or_moved) {
    document memory;
    EXPECT_EQ(compiled_path::make("a..b", memory).error().text(), "path 'a..b', column 3: a name is missing");
    result<compiled_path> root = compiled_path::make("", memory);
    ASSERT_TRUE(set_at(memory, "a.b[0]", 7));
    EXPECT_EQ(value_at(memory.root(), *root), memory.root());
    result<compiled_path> way = compiled_path::make(json_pointer("/a/b/0"), memory);
    compiled_path moved = std::move(*way);
    EXPECT_EQ(value_at(memory.root(), moved).as_int(), 7);
    moved = std::move(*root);
    EXPECT_EQ(value_at(memory.root(), moved), memory.root());
    result<compiled_path> far = compiled_path::make("a[12345678901]", memory);
    EXPECT_FALSE(value_at(memory.root(), *far));
}

// Shortage.

TEST(path_access, leaves_the_tree_as_it_was_when_creating_runs_out_half_way) {
    for (const bool is_shared : {false, true})
        for_each_failure([&](failing_source& failing) {
            document memory({.name = "short", .upstream = &failing});
            if (!memory.set_root(content::object()) ||
                !set_at(memory, "here.list[0]", "some text of its own"))
                return false;
            document copy;
            if (!copy.set_root(memory.root())) ADD_FAILURE();
            document snapshot;
            if (is_shared) snapshot = memory.snapshot();
            const char* way = "here.list[-].far[0][0].deeper.still.text";
            const bool is_done = set_at(memory, way, "a text that is too long to be inline").operator bool();
            memory.check();
            if (is_done) {
                EXPECT_EQ(
                    value_at(memory.root(), "here.list[1].far[0][0].deeper.still.text").as_text().size(), 36);
            } else {
                EXPECT_EQ(same_tree(memory.root(), copy.root()), true);
            }
            if (is_shared) {
                EXPECT_EQ(same_tree(snapshot.root(), copy.root()), true);
            }
            return is_done;
        });
    for_each_failure([](failing_source& failing) { // from nothing
        document memory({.name = "short", .upstream = &failing});
        const bool is_done = set_at(memory, "a[0].b", "a text that is too long to be inline").operator bool();
        EXPECT_EQ(bool(memory.root()), is_done);
        return is_done;
    });
}

TEST(path_access, names_who_refused) {
    document memory({.name = "small", .limit_bytes = kibibytes(32)});
    const std::string text(kibibytes(40), 'x');
    ASSERT_TRUE(set_at(memory, "a.b", 1));
    EXPECT_TRUE(set_at(memory, "a.c.d", std::string_view(text))
                    .error()
                    .text()
                    .starts_with("path 'a.c.d', column 5: out of memory: document 'small' refused "));
    EXPECT_FALSE(value_at(memory.root(), "a.c"));
}

TEST(compiled_path, gives_everything_back_when_it_cannot_be_made) {
    for_each_failure([](failing_source& failing) {
        document memory({.name = "short", .upstream = &failing});
        return compiled_path::make("a.b[0].c", memory, &failing).operator bool();
    });
}

// Books.

TEST(path_access, allocates_nothing_to_look_up) {
    document memory;
    ASSERT_TRUE(set_at(memory, R"(versions["3.21.1"].dist[0].tarball)", "express"));
    const result<compiled_path> way = compiled_path::make(R"(versions.3\.21\.1.dist[0].tarball)", memory);
    no_allocation nothing;
    EXPECT_EQ(value_at(memory.root(), R"(versions.3\.21\.1.dist[0].tarball)").as_text(), "express");
    EXPECT_EQ(value_at(memory.root(), json_pointer("/versions/3.21.1/dist/0/tarball")).as_text(), "express");
    EXPECT_EQ(value_at(memory.root(), *way).as_text(), "express");
    EXPECT_FALSE(value_at(memory.root(), "versions.dist"));
}

TEST(path_access, takes_all_from_the_documents_source_and_gives_it_back) {
    auditing_source audit(default_source());
    {
        document memory({.name = "audited", .upstream = &audit});
        no_allocation nothing;
        for (const char* way : {"a.b.c", "a.b.d", "a.list[0]", "a.list[-]", "a.b"})
            EXPECT_TRUE(set_at(memory, way, "some text that is not inline"));
        EXPECT_TRUE(erase_at(memory, "a.list[0]").value());
        const result<compiled_path> way = compiled_path::make("a.list[0]", memory, &audit);
        EXPECT_TRUE(value_at(memory.root(), *way));
    }
    EXPECT_EQ(audit.usage().live_count, 0);
}

// Model.

TEST(path_access, does_what_a_flat_map_of_paths_does) {
    const auto seed = std::random_device{}();
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    document tree;
    std::map<std::string, int>
        flat; // of every number, under its path; a container has an entry for each below it
    const auto below = [](const std::string& at) { return std::pair{at + ".", at + "/"}; }; // '/' follows '.'
    for (int round = 0; round != 4000; ++round) {
        std::string way;
        for (unsigned n = random() % 4 + 1; n != 0; --n)
            (way += way.empty() ? "" : ".") += static_cast<char>('a' + random() % 4);
        const auto [first, last] = below(way);
        if (random() % 4 != 0) {
            bool is_blocked = false; // a number stands on the way
            for (std::size_t dot = way.find('.'); dot != way.npos; dot = way.find('.', dot + 1))
                is_blocked = is_blocked || flat.contains(way.substr(0, dot));
            ASSERT_EQ(set_at(tree, way, round).operator bool(), !is_blocked) << way;
            if (!is_blocked) {
                flat.erase(flat.lower_bound(first), flat.lower_bound(last));
                flat[way] = round;
            }
        } else {
            const result<bool> is_erased = erase_at(tree, way);
            const bool was_there = flat.contains(way) || flat.lower_bound(first) != flat.lower_bound(last);
            if (was_there) { // empty containers are in the tree alone
                ASSERT_TRUE(is_erased && *is_erased) << way;
            }
            flat.erase(way);
            flat.erase(flat.lower_bound(first), flat.lower_bound(last));
        }
        tree.check();
        if (round % 50 != 0) continue;
        for (const auto& [at, number] : flat) {
            ASSERT_EQ(value_at(tree.root(), at).as_int(-1), number) << at;
            const result<compiled_path> compiled = compiled_path::make(at, tree);
            ASSERT_EQ(value_at(tree.root(), *compiled).as_int(-1), number) << at;
        }
    }
}

} // namespace
} // namespace allot
