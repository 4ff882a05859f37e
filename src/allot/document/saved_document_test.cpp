#include <allot/document/json_writer.hpp>
#include <allot/document/saved_document.hpp>
#include <allot/structure/arena.hpp>
#include <allot/testing/for_each_failure.hpp>
#include <allot/testing/memory_store.hpp>

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace allot {
namespace {

#define SKIP_WITHOUT_JSON()                                                                                  \
    if (!has_json()) GTEST_SKIP() << "allot was built without JSON: install libsimdjson-dev and rebuild"

std::string text_of(const document& of) {
    buffer text;
    EXPECT_TRUE(write_json(text, of.root()));
    return std::string(text.text());
}

// Usage.

TEST(saved_document, comes_back) {
    SKIP_WITHOUT_JSON();
    memory_store store;
    document memory({.name = "agent"});
    (void)memory.set_root("the first state");
    ASSERT_TRUE(save_document(store, memory.root()));
    (void)memory.set_root("another");
    ASSERT_TRUE(load_document(store, memory));
    EXPECT_TRUE(memory.root().as_text() == "the first state");
}

// Edges.

TEST(saved_document, stays_as_it_was_where_the_file_is_not_whole) {
    SKIP_WITHOUT_JSON();
    memory_store store;
    document memory({.name = "agent"});
    const auto why = [&] {
        const result<void> done = load_document(store, memory);
        return done ? "" : done.error().text();
    };
    EXPECT_EQ(why(), "loading: saved bytes: empty");
    ASSERT_TRUE(read_json(memory, R"({"state": [1, 2.5, "three"], "deep": {"er": null}})"));
    const std::string right = text_of(memory);
    ASSERT_TRUE(save_document(store, memory.root()));
    const std::vector<std::byte> whole = store.bytes();
    ASSERT_TRUE(memory.set_root("kept"));
    for (std::size_t size = 1; size != whole.size(); ++size) { // torn at each byte
        store.bytes().assign(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
        ASSERT_NE(why().find("truncated"), std::string::npos) << size;
    }
    for (std::size_t at = 0; at != whole.size(); ++at) {
        store.bytes() = whole;
        store.bytes()[at] ^= std::byte{1};
        ASSERT_NE(why(), "") << at;
    }
    EXPECT_EQ(memory.root().as_text(), "kept");
    store.bytes() = whole;
    EXPECT_EQ(why(), "");
    EXPECT_EQ(text_of(memory), right);
}

TEST(saved_document, leaves_the_old_file_where_the_tree_or_the_disk_will_not_do) {
    SKIP_WITHOUT_JSON();
    memory_store store;
    document memory({.name = "agent"});
    ASSERT_TRUE(memory.set_root("old"));
    ASSERT_TRUE(save_document(store, memory.root()));
    ASSERT_TRUE(memory.set_root(content::element("xml")));
    EXPECT_FALSE(save_document(store, memory.root()));
    ASSERT_TRUE(memory.set_root(std::string_view(std::string(1000, 'x'))));
    store.set_capacity(500);
    const result<void> full = save_document(store, memory.root());
    ASSERT_FALSE(full);
    EXPECT_EQ(full.error().text(), "saving: memory_store: replace 1042 bytes at 0: No space left on device");
    ASSERT_TRUE(load_document(store, memory));
    EXPECT_EQ(memory.root().as_text(), "old");
}

// Shortage.

TEST(saved_document, survives_every_refusal) {
    SKIP_WITHOUT_JSON();
    const std::uint64_t points = for_each_failure([](failing_source& source) {
        memory_store store;
        document memory({.name = "agent"}), other({.name = "other", .upstream = &source});
        ASSERT_TRUE(read_json(memory, R"({"state": ["a text that is longer than seven bytes", {"a": 1}]})"));
        if (!save_document(store, memory.root(), source)) {
            ASSERT_TRUE(save_document(store, memory.root()));
        }
        const bool loaded = bool(load_document(store, other, source));
        EXPECT_EQ(loaded ? text_of(other) : text_of(memory), text_of(memory));
    });
    EXPECT_GT(points, 3);
}

// Crashes: the old or the new, as replace() promises; who is killed while it saves: platform/file_store_test.

TEST(saved_document, is_the_old_or_the_new_when_power_fails) {
    SKIP_WITHOUT_JSON();
    const unsigned seed = std::random_device{}();
    SCOPED_TRACE(::testing::Message() << "seed " << seed);
    std::mt19937 random(seed);
    memory_store store;
    document memory({.name = "agent"}), found({.name = "found"});
    std::string old;
    for (int run = 0; run != 300; ++run) {
        ASSERT_TRUE(memory.set_root(content::array()));
        for (auto i = random() % 20; i != 0; --i) ASSERT_TRUE(memory.edit().push_back(random()));
        store.plan({.write = run == 0 ? 0u : random() % 3});
        const bool saved = bool(save_document(store, memory.root()));
        store.lose_power(random());
        ASSERT_TRUE(load_document(store, found));
        if (saved) old = text_of(memory);
        ASSERT_EQ(text_of(found), old);
    }
}

} // namespace
} // namespace allot
