#include <allot/document/bounded_document.hpp>
#include <allot/document/json_writer.hpp>
#include <allot/document/saved_document.hpp>
#include <allot/document/xml.hpp>
#include <allot/structure/tiered_pool.hpp>
#include <allot/testing/auditing_source.hpp>
#include <allot/testing/failing_source.hpp>
#include <allot/testing/for_each_failure.hpp>
#include <allot/testing/memory_store.hpp>
#include <allot/testing/no_allocation.hpp>

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace allot {
namespace {

constexpr size_tier tiers[] = {{32, 256}, {80, 256}, {272, 64}, {1'040, 16}, {4'160, 8}};
constexpr path storage[] = {"agent.storage"};

const std::string long_text(200, 'x');

// A document with a cold_store on a disk, in which little stays in memory.
struct paging {
    explicit paging(std::span<const path> pageable = storage, bool makes_room = false,
                    std::span<const size_tier> sizes = tiers, memory_source* upstream = nullptr)
        : memory({.name = "agent",
                  .tiers = sizes,
                  .keys_bytes_max = kibibytes(24),
                  .upstream = upstream,
                  .promotes = !makes_room,
                  .pages = &pages,
                  .page_bytes_max = 4096,
                  .page_count_max = 100,
                  .pageable = pageable,
                  .makes_room = makes_room}) {}
    std::string json() {
        buffer text;
        const result<void> done = write_json(text, memory.root());
        EXPECT_TRUE(done) << done.error().text();
        return std::string(text.text());
    }
    void expect_whole() { // everything is free at the end, here and there
        memory.check();
        pages.check();
        const result<void> done = memory.close();
        EXPECT_TRUE(done) << done.error().text();
        EXPECT_EQ(memory.usage().live_count, 0);
        EXPECT_EQ(pages.count(), 0);
    }

    memory_store disk;
    cold_store pages{{.name = "pages",
                      .store = &disk,
                      .hot_bytes_max = 4096,
                      .compressed_bytes_max = 0,
                      .block_bytes_max = 4096}};
    bounded_document memory;
};

template <class Result>
std::string why(const Result& done) {
    return done ? std::string() : done.error().text();
}

// An agent with `count` thoughts in its storage, of about 300 bytes each.
void remember(bounded_document& memory, int count) {
    for (int i = 0; i != count; ++i) {
        ASSERT_EQ(why(memory.set_at("agent.storage[-].number", i)), "");
        const std::string at = "agent.storage[" + std::to_string(i) + "].thought";
        ASSERT_EQ(why(memory.set_at(std::string_view(at), std::string_view(long_text))), "");
    }
}

// Usage.

TEST(paged_subtrees, leave_the_pool_and_come_back) {
    memory_store disk;
    cold_store pages({.name = "pages", .store = &disk});
    bounded_document memory({.name = "agent", .pages = &pages, .pageable = storage});
    EXPECT_TRUE(memory.set_at("agent.storage[0].thought", "read the header first"));
    EXPECT_TRUE(memory.page_out_cold(1)); // or page_out("agent.storage[0]")
    EXPECT_TRUE(value_at(memory.root(), "agent.storage[0]").is_paged_out());
    EXPECT_TRUE(memory.find_at("agent.storage[0].thought")->as_text() == "read the header first");
    EXPECT_TRUE(memory.numbers().page_ins == 1 && memory.numbers().paged_count == 0);
}

// Edges.

TEST(paged_subtrees, are_never_taken_for_null_or_nothing) {
    paging it;
    ASSERT_TRUE(it.memory.set_at("agent.storage[0].a[0]", long_text.c_str()));
    ASSERT_TRUE(it.memory.set_at("agent.storage[1]", 7));
    ASSERT_EQ(why(it.memory.page_out("agent.storage[0]")), "");
    const value stub = value_at(it.memory.root(), "agent.storage[0]");
    EXPECT_TRUE(stub.is_paged_out());
    EXPECT_EQ(stub.type(), value_type::paged_out);
    EXPECT_EQ(stub.type_within(), value_type::object);
    EXPECT_TRUE(stub && !stub.is_null() && !stub.is_object() && !stub["a"]);
    EXPECT_EQ(stub.size(), 0);
    EXPECT_EQ(why(find_at(it.memory.root(), "agent.storage[0].a")),
              "path 'agent.storage[0].a', column 18: what stands before it is paged out");
    EXPECT_FALSE(set_at(it.memory.tree(), "agent.storage[0].a", 1));
    EXPECT_FALSE(it.memory.edit().edit("agent").edit("storage").edit(std::size_t{0}));
    EXPECT_EQ(it.memory.numbers().paged_count, 1);
    EXPECT_EQ(it.pages.count(), 1);
    EXPECT_EQ(measure(it.memory.root())->value_count, 5);
    it.memory.check();
    it.expect_whole();
}

TEST(paged_subtrees, come_back_for_every_access_by_a_path_but_where_they_are_replaced) {
    paging it;
    remember(it.memory, 4);
    const std::string before = it.json();
    for (int i = 0; i != 4; ++i)
        ASSERT_EQ(why(it.memory.page_out(std::string_view("agent.storage[" + std::to_string(i) + "]"))), "");
    EXPECT_EQ(it.json(), before); // read through
    EXPECT_EQ(it.memory.numbers().paged_count, 4);
    EXPECT_EQ(it.memory.find_at("agent.storage[0].number")->as_int(-1), 0);
    EXPECT_EQ(it.memory.numbers().paged_count, 3);
    EXPECT_TRUE(it.memory.set_at("agent.storage[1].more", 5)); // comes back
    EXPECT_EQ(it.memory.find_at("agent.storage[1]")->size(), 3);
    EXPECT_EQ(it.memory.numbers().paged_count, 2);
    EXPECT_TRUE(it.memory.set_at("agent.storage[2]", 5)); // need not
    EXPECT_TRUE(it.memory.erase_at("agent.storage[3]").value());
    EXPECT_EQ(it.memory.numbers().paged_count, 0);
    EXPECT_EQ(it.memory.numbers().page_ins, 2);
    EXPECT_EQ(it.pages.count(), 0);
    EXPECT_EQ(why(it.memory.find_at("agent.storage[3]")),
              "path 'agent.storage[3]', column 14: the array has 3 items");
    EXPECT_TRUE(it.memory.erase_at("agent.storage[0].number").value());
    it.expect_whole();
}

TEST(paged_subtrees, go_coldest_first) {
    paging it;
    remember(it.memory, 5); // touched in this order
    const auto out = [&] {
        std::string which;
        for (const value each : value_at(it.memory.root(), "agent.storage").children())
            which += each.is_paged_out() ? 'o' : '.';
        return which;
    };
    EXPECT_TRUE(it.memory.find_at("agent.storage[0].thought"));
    EXPECT_TRUE(it.memory.find_at("agent.storage[2]"));
    EXPECT_GE(it.memory.page_out_cold(1).value(), 200);
    EXPECT_EQ(out(), ".o...");
    EXPECT_GE(it.memory.page_out_cold(500).value(), 500);
    EXPECT_EQ(out(), ".o.oo");
    for (int round = 0; round != 1000; ++round) { // the ranks are halved again and again
        EXPECT_TRUE(it.memory.find_at("agent.storage[0]"));
        EXPECT_TRUE(it.memory.find_at("agent"));
        EXPECT_TRUE(it.memory.find_at("agent.storage[2]"));
    }
    EXPECT_TRUE(it.memory.page_out_cold(1));
    EXPECT_EQ(out(), "oo.oo");
    EXPECT_TRUE(it.memory.page_out_cold(mebibytes(1))); // all there is
    EXPECT_EQ(out(), "ooooo");
    EXPECT_EQ(it.memory.page_out_cold(1).value(), 0);
    it.expect_whole();
}

TEST(paged_subtrees, keep_every_kind_of_value_exactly) {
    paging it;
    document other({.name = "other"});
    ASSERT_TRUE(it.memory.set_root(content::array()));
    ASSERT_TRUE(it.memory.edit().push_back(content::object()));
    ASSERT_TRUE(it.memory.edit().push_back(content::element("page")));
    node object = it.memory.edit().edit(std::size_t{0});
    ASSERT_TRUE(object.set("null", nullptr) && object.set("true", true) && object.set("short", "7 bytes"));
    ASSERT_TRUE(object.set("min", INT64_MIN) && object.set("max", UINT64_MAX) && object.set("real", -0.1));
    ASSERT_TRUE(object.set("text", std::string_view(long_text)) && object.set("empty", content::array()));
    for (int i = 0; i != 60; ++i) // an index of its keys
        ASSERT_TRUE(object.set(std::string_view("key " + std::to_string(i)), i));
    node element = it.memory.edit().edit(std::size_t{1});
    ASSERT_TRUE(element.set_attribute("name", "a value of some length"));
    ASSERT_TRUE(element.push_back(content::comment("said beside it")));
    ASSERT_TRUE(element.push_back(content::instruction("target", "what to do there")));
    ASSERT_TRUE(element.push_back(content::cdata("<as it is>")));
    ASSERT_TRUE(other.set_root(it.memory.root()));
    ASSERT_EQ(why(it.memory.page_out("[0]")), "");
    ASSERT_EQ(why(it.memory.page_out("[1]")), "");
    EXPECT_EQ(it.memory.root()[1].key(), "page");
    EXPECT_EQ(same_tree(it.memory.root(), other.root()), false);
    EXPECT_EQ(why(it.memory.page_out("")), "path '': paging out: the root stays");
    document through({.name = "through"}); // a copy reads through
    ASSERT_TRUE(through.set_root(it.memory.root()));
    EXPECT_EQ(same_tree(through.root(), other.root()), true);
    through.check();
    buffer xml, xml_before;
    ASSERT_EQ(why(write_xml(xml, it.memory.root()[1])), "");
    ASSERT_EQ(why(write_xml(xml_before, other.root()[1])), "");
    EXPECT_EQ(xml.text(), xml_before.text());
    ASSERT_EQ(why(it.memory.page_in("[0]")), "");
    ASSERT_EQ(why(it.memory.page_in("[1].@name")), "");
    EXPECT_EQ(same_tree(it.memory.root(), other.root()), true);
    EXPECT_EQ(it.memory.find_at(R"([0]["key 59"])")->as_int(), 59);
    it.expect_whole();
}

TEST(paged_subtrees, refuse_what_cannot_go_and_say_why) {
    paging it;
    remember(it.memory, 2);
    EXPECT_EQ(why(it.memory.page_out("agent.storage[0].number")),
              "path 'agent.storage[0].number': paging out: only containers with children and long texts are "
              "paged out");
    EXPECT_EQ(why(it.memory.page_out("agent.mood")), "path 'agent.mood', column 7: nothing is there");
    ASSERT_EQ(why(it.memory.page_out("agent.storage[0].thought")), ""); // a text
    EXPECT_EQ(why(it.memory.page_out("agent.storage[0].thought")), ""); // done already
    EXPECT_EQ(why(it.memory.page_out("agent.storage[0]")),
              "path 'agent.storage[0]': paging out: a part of it is paged out already");
    std::string large(4000, 'y');
    ASSERT_TRUE(it.memory.set_at("agent.storage[1].a", std::string_view(large)));
    ASSERT_TRUE(it.memory.set_at("agent.storage[1].b", std::string_view(large)));
    EXPECT_EQ(why(it.memory.page_out("agent.storage[1]")),
              "path 'agent.storage[1]': paging out: it takes more than 4096 bytes (page_bytes_max)");
    EXPECT_EQ(it.memory.find_at("agent.storage[0].thought")->as_text(), long_text);
    {
        const document before = it.memory.snapshot();
        EXPECT_EQ(why(it.memory.page_out("agent.storage[0]")),
                  "path 'agent.storage[0]': paging out: a snapshot shares it: nothing would become free");
    }
    bounded_document without({.name = "without", .tiers = tiers, .keys_bytes_max = kibibytes(24)});
    ASSERT_TRUE(without.set_at("a.b", 1));
    EXPECT_EQ(why(without.page_out("a")), "path 'a': paging out: no cold_store was named (pages)");
    EXPECT_EQ(without.page_out_cold(1).value(), 0);
    it.expect_whole();
}

TEST(paged_subtrees, are_as_many_as_were_asked_for) {
    memory_store disk;
    cold_store pages({.name = "pages", .store = &disk});
    bounded_document memory({.name = "agent",
                             .tiers = tiers,
                             .keys_bytes_max = kibibytes(24),
                             .pages = &pages,
                             .page_count_max = 2,
                             .pageable = storage});
    remember(memory, 4);
    EXPECT_TRUE(memory.page_out_cold(mebibytes(1)));
    EXPECT_EQ(memory.numbers().paged_count, 2);
    EXPECT_EQ(why(memory.page_out("agent.storage[3]")),
              "path 'agent.storage[3]': paging out: 2 subtrees are paged out: more have no room "
              "(page_count_max)");
    EXPECT_TRUE(memory.erase_at("agent.storage[0]").value());
    EXPECT_EQ(why(memory.page_out("agent.storage[2]")), "");
}

TEST(paged_subtrees, are_shared_with_snapshots) {
    paging it;
    remember(it.memory, 2);
    const std::string all = it.json();
    ASSERT_EQ(why(it.memory.page_out("agent.storage[0]")), "");
    {
        const document before = it.memory.snapshot();
        EXPECT_TRUE(it.memory.set_at("agent.storage[0].number", 5)); // comes back here alone
        EXPECT_EQ(it.pages.count(), 1);
        EXPECT_TRUE(value_at(before.root(), "agent.storage[0]").is_paged_out());
        buffer text;
        EXPECT_TRUE(write_json(text, before.root()));
        EXPECT_EQ(text.text(), all);
        it.memory.check();
        const result<void> early = it.memory.close();
        ASSERT_FALSE(early);
        EXPECT_NE(early.error().text().find("snapshots have"), std::string::npos) << early.error().text();
    }
    it.expect_whole();
}

TEST(paged_subtrees, keep_an_elements_name_wherever_they_are_moved) {
    paging it;
    ASSERT_TRUE(it.memory.set_root(content::array()));
    ASSERT_TRUE(it.memory.edit().push_back(content::element("page")));
    ASSERT_TRUE(it.memory.edit().edit(std::size_t{0}).push_back("a text"));
    ASSERT_TRUE(it.memory.edit().push_back(content::object()));
    ASSERT_EQ(why(it.memory.page_out("[0]")), "");
    node root = it.memory.edit();
    EXPECT_FALSE(root.edit(1).take(0, "key", root, 0)); // an element stands in no object
    EXPECT_TRUE(root.push_back(content::array()));
    EXPECT_TRUE(root.edit(2).take(0, root, 0));
    it.memory.check();
    const result<value> back = it.memory.find_at("[1][0]");
    ASSERT_EQ(why(back), "");
    EXPECT_TRUE(back->is_element() && back->key() == "page");
    it.expect_whole();
}

TEST(paged_subtrees, take_nothing_after_the_start) {
    auditing_source source(default_source());
    tiered_pool for_pages({.name = "for pages", .tiers = default_size_tiers});
    memory_store disk;
    cold_store pages({.name = "pages",
                      .upstream = &for_pages,
                      .store = &disk,
                      .hot_bytes_max = 4096,
                      .compressed_bytes_max = 1024,
                      .block_bytes_max = 4096});
    ASSERT_TRUE(pages.try_reserve(100));
    bounded_document memory({.name = "agent",
                             .tiers = tiers,
                             .keys_bytes_max = kibibytes(24),
                             .upstream = &source,
                             .pages = &pages,
                             .page_bytes_max = 4096,
                             .page_count_max = 100,
                             .pageable = storage,
                             .makes_room = true});
    bool is_done = true;
    {
        const no_allocation scope;
        for (int i = 0; i != 400; ++i) {
            is_done &= bool(memory.set_at("agent.storage[-].number", i));
            is_done &= bool(memory.set_at("agent.last", std::string_view(long_text)));
            is_done &= bool(memory.page_out_cold(300));
            is_done &= bool(memory.find_at("agent.storage[7].number")) == (i >= 7);
            if (i >= 90) is_done &= memory.erase_at("agent.storage[0]").value();
        }
    }
    EXPECT_TRUE(is_done);
    EXPECT_EQ(source.usage().total_count, 2);
    EXPECT_GT(memory.numbers().page_ins, 100);
    EXPECT_TRUE(memory.close());
    EXPECT_EQ(pages.count(), 0);
}

} // namespace
} // namespace allot
