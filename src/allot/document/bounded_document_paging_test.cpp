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
constexpr path two_storages[] = {"a", "b"};

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

// Shortage.

TEST(bounded_document_paging, stay_out_where_the_pool_has_no_room_for_them) {
    constexpr size_tier few[] = {{32, 40}, {80, 40}, {272, 8}, {1'040, 4}, {4'160, 4}};
    paging it(storage, false, few);
    remember(it.memory, 3);
    const std::string all = it.json();
    ASSERT_EQ(why(it.memory.page_out("agent.storage[0]")), "");
    int filled = 0;
    while (it.memory.set_at("agent.filled[-]", std::string_view(long_text))) ++filled;
    const std::string full = it.json();
    const allot::usage before = it.memory.usage();
    const std::string said = why(it.memory.find_at("agent.storage[0].thought"));
    EXPECT_NE(said.find("path 'agent.storage[0].thought': coming back: "), std::string::npos) << said;
    EXPECT_NE(said.find("agent/"), std::string::npos) << said; // which pool
    EXPECT_EQ(it.memory.usage().live_bytes, before.live_bytes);
    EXPECT_EQ(it.memory.numbers().paged_count, 1);
    EXPECT_EQ(it.json(), full);
    EXPECT_EQ(why(it.memory.page_out("agent.storage[1]")), ""); // going out needs no room
    while (filled-- != 0) ASSERT_TRUE(it.memory.erase_at("agent.filled[0]").value());
    EXPECT_TRUE(it.memory.erase_at("agent.filled").value());
    EXPECT_EQ(it.memory.find_at("agent.storage[0].thought")->as_text(), long_text);
    EXPECT_EQ(it.json(), all);
    it.expect_whole();
}

TEST(bounded_document_paging, make_room_for_others_where_that_is_wanted) {
    constexpr size_tier few[] = {{32, 60}, {80, 60}, {272, 12}, {1'040, 4}, {4'160, 6}};
    paging it(storage, true, few);
    remember(it.memory, 80); // more than all slots together
    EXPECT_GT(it.memory.numbers().paged_count, 50);
    for (int i = 0; i != 80; ++i) {
        const std::string at = "agent.storage[" + std::to_string(i) + "]";
        const result<value> found = it.memory.find_at(std::string_view(at));
        ASSERT_EQ(why(found), "");
        ASSERT_EQ(found->find("number").as_int(-1), i);
        ASSERT_EQ(found->find("thought").as_text(), long_text);
    }
    it.expect_whole();
}

TEST(bounded_document_paging, make_no_room_for_what_might_go_to_make_it) {
    constexpr size_tier few[] = {{32, 60}, {80, 60}, {272, 12}, {1'040, 4}, {4'160, 6}};
    paging it(storage, true, few);
    remember(it.memory, 1);
    while (it.memory.numbers().paged_count == 0) // to the last slot; each is colder than the first one
        ASSERT_TRUE(it.memory.set_at("agent.storage[-].thought", std::string_view(long_text)));
    value coldest; // found without touching it
    for (const value each : value_at(it.memory.root(), "agent.storage").children())
        if (!coldest && !each.is_paged_out()) coldest = each.find("thought");
    const std::uint64_t page_outs = it.memory.numbers().page_outs;
    std::string said;
    for (int i = 0; i != 100 && said.empty(); ++i)
        said = why(it.memory.set_at("agent.copies[-]", coldest.as_text()));
    EXPECT_EQ(it.memory.numbers().page_outs, page_outs);
    EXPECT_NE(said.find("refused"), std::string::npos) << said;
    EXPECT_EQ(why(it.memory.set_at("agent.copies[-].text", std::string_view(long_text))), "");
    it.expect_whole();
}

TEST(bounded_document_paging, stay_whole_whatever_memory_is_refused) {
    for_each_failure([](failing_source& source) {
        paging it(storage, false, tiers, &source);
        memory_store disk;
        cold_store pages({.name = "pages", .upstream = &source, .store = &disk, .block_bytes_max = 4096});
        bounded_document memory({.name = "agent",
                                 .tiers = tiers,
                                 .keys_bytes_max = kibibytes(24),
                                 .upstream = &source,
                                 .pages = &pages,
                                 .page_bytes_max = 4096,
                                 .pageable = storage});
        if (!memory.is_ready()) return;
        remember(memory, 4);
        buffer before, after;
        EXPECT_TRUE(write_json(before, memory.root()));
        (void)memory.page_out("agent.storage[1]");
        (void)memory.page_out_cold(600);
        memory.check();
        EXPECT_TRUE(write_json(after, memory.root()));
        EXPECT_EQ(before.text(), after.text());
        EXPECT_TRUE(memory.close());
    });
}

TEST(bounded_document_paging, stay_whole_whatever_the_disk_refuses) {
    const auto run = [](const store_failure_plan& plan) {
        paging it;
        remember(it.memory, 30);
        const std::string all = it.json();
        it.disk.plan(plan);
        (void)it.memory.page_out_cold(mebibytes(1)); // more than stays in memory
        bool is_failed = it.pages.statistics().store_failed_count != 0;
        for (int i = 0; i != 30; ++i)
            is_failed |=
                !it.memory.find_at(std::string_view("agent.storage[" + std::to_string(i) + "].number"));
        it.memory.check();
        it.disk.plan({});
        EXPECT_EQ(it.json(), all);
        it.expect_whole();
        return is_failed;
    };
    std::uint64_t write = 1, read = 1;
    while (run({.write = write, .lasting = write % 2 == 0})) ++write;
    while (run({.read = read, .lasting = true})) ++read;
    EXPECT_GT(write, 2);
    EXPECT_GT(read, 2);
}

TEST(bounded_document_paging, are_named_where_their_block_is_damaged) {
    paging it;
    remember(it.memory, 30);
    EXPECT_TRUE(it.memory.page_out_cold(mebibytes(1)));
    ASSERT_NE(it.pages.statistics().stored_count, 0);
    for (std::byte& each : it.disk.bytes()) each ^= std::byte{1};
    const std::string said = why(it.memory.find_at("agent.storage[0].number"));
    EXPECT_NE(said.find("path 'agent.storage[0].number': coming back: cold_store 'pages': block "),
              std::string::npos)
        << said;
    EXPECT_TRUE(value_at(it.memory.root(), "agent.storage[0]").is_paged_out());
    buffer text;
    const std::string unwritten = why(write_json(text, it.memory.root()));
    EXPECT_NE(unwritten.find("at /agent/storage/0: cold_store 'pages': block "), std::string::npos)
        << unwritten;
    document copy({.name = "copy"});
    EXPECT_FALSE(copy.set_root(it.memory.root()));
    EXPECT_EQ(copy.usage().live_bytes,
              document({.name = "copy"}).usage().live_bytes + copy.usage().live_bytes);
    EXPECT_TRUE(it.memory.set_at("agent.mood", "all the same good")); // usable
    EXPECT_TRUE(it.memory.erase_at("agent.storage[0]").value());
    it.expect_whole();
}

TEST(bounded_document_paging, are_missed_where_others_erased_their_blocks) {
    paging it;
    remember(it.memory, 2);
    EXPECT_TRUE(it.memory.page_out("agent.storage[0]"));
    it.pages.for_each([&](cold_handle each, bool) { EXPECT_TRUE(it.pages.erase(each)); });
    EXPECT_FALSE(it.memory.find_at("agent.storage[0].number"));
    const result<void> done = it.memory.close();
    EXPECT_EQ(why(done),
              "bounded_document 'agent': the cold_store 'pages' lost 1 of its pages, snapshots have 0");
    it.expect_whole();
}

// Saving.

TEST(bounded_document_paging, are_saved_with_the_document) {
    if (!has_json()) GTEST_SKIP() << "allot was built without JSON";
    paging it;
    remember(it.memory, 6);
    const std::string all = it.json();
    EXPECT_TRUE(it.memory.page_out_cold(1000));
    const std::uint64_t count = it.memory.numbers().paged_count;
    EXPECT_GE(count, 3);
    memory_store file;
    ASSERT_EQ(why(save_document(file, it.memory.root())), "");
    EXPECT_EQ(it.memory.numbers().paged_count, count); // nothing came back for it
    ASSERT_EQ(why(load_document(file, it.memory.tree())), "");
    EXPECT_EQ(it.pages.count(), 0); // the pages of the tree that was replaced
    EXPECT_EQ(it.json(), all);
    it.expect_whole();
}

// Books.

TEST(bounded_document_paging, are_counted) {
    paging it;
    remember(it.memory, 8);
    const bounded_document_numbers before = it.memory.numbers();
    const std::uint64_t freed = it.memory.page_out_cold(800).value();
    const bounded_document_numbers now = it.memory.numbers();
    EXPECT_EQ(now.tree_bytes, before.tree_bytes - freed);
    EXPECT_EQ(now.paged_count, it.pages.count());
    EXPECT_EQ(now.page_outs, now.paged_count);
    const cold_store_statistics there = it.pages.statistics();
    EXPECT_EQ(now.paged_bytes, there.hot_bytes + there.compressed_plain_bytes + there.stored_plain_bytes);
    it.memory.check();
    it.expect_whole();
}

// Model.

TEST(bounded_document_paging, do_not_change_what_the_document_is) {
    const unsigned seed = std::random_device{}();
    SCOPED_TRACE(::testing::Message() << "seed " << seed);
    std::mt19937 random(seed);
    paging it(two_storages);
    document naive({.name = "naive"});
    for (const char* home : {"a[0]", "b.k0"}) {
        ASSERT_TRUE(it.memory.set_at(home, 1));
        ASSERT_TRUE(set_at(naive, home, 1));
    }
    for (int step = 0; step != 4000; ++step) {
        std::string at = random() % 2 != 0 ? "a[" + std::to_string(random() % 12) + "]"
                                           : "b.k" + std::to_string(random() % 12);
        const std::string unit = at;
        for (auto depth = random() % 3; depth != 0; --depth) at += ".k" + std::to_string(random() % 4);
        const std::string_view way = at, text(long_text.data(), random() % 150);
        switch (random() % 8) {
        case 0:
            ASSERT_EQ(it.memory.erase_at(way).value_or(false), erase_at(naive, way).value_or(false));
            break;
        case 1: (void)it.memory.page_out(std::string_view(unit)); break;
        case 2: (void)it.memory.page_out_cold(random() % 500); break;
        case 3: {
            const result<value> found = it.memory.find_at(way);
            ASSERT_EQ(bool(found), bool(find_at(naive.root(), way))) << at;
            if (found) {
                ASSERT_EQ(found->size(), value_at(naive.root(), way).size());
            }
            break;
        }
        default: ASSERT_EQ(bool(it.memory.set_at(way, text)), bool(set_at(naive, way, text))) << at;
        }
        if (step % 50 != 0) continue;
        it.memory.check();
        buffer expected;
        ASSERT_TRUE(write_json(expected, naive.root()));
        ASSERT_EQ(it.json(), expected.text());
    }
    EXPECT_GT(it.memory.numbers().page_ins, 50);
    EXPECT_EQ(it.memory.usage().refused_count, 0);
    it.expect_whole();
}

} // namespace
} // namespace allot
