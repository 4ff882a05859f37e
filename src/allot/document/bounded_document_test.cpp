#include <allot/document/bounded_document.hpp>
#include <allot/source/default_source.hpp>
#include <allot/source/page_source.hpp>
#include <allot/structure/bounded_string.hpp>
#include <allot/testing/auditing_source.hpp>
#include <allot/testing/failing_source.hpp>
#include <allot/testing/for_each_failure.hpp>
#include <allot/testing/no_allocation.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <random>
#include <string>
#include <vector>

namespace allot {
namespace {

constexpr size_tier small_tiers[] = {{16, 256}, {80, 256}, {256, 64}, {1040, 16}, {4160, 8}}; // 90 KiB

struct noted_events final : observer {
    std::vector<event> all;
    void observe(const event& what) noexcept override { all.push_back(what); }
};

bounded_document_options small(const char* name = "agent") {
    return {.name = name, .tiers = small_tiers, .keys_bytes_max = kibibytes(24)};
}

const std::string texts(3000, 'x');

// So many edits at random places of the tree; how many were done.
std::size_t edit_at_random(bounded_document& memory, std::mt19937& random, int count) {
    static constexpr const char* keys[] = {"role",        "plan",  "notes", "state",
                                           "llm.gpt-3.5", "items", "a",     "b"};
    std::size_t done = 0;
    for (int step = 0; step != count; ++step) {
        node at = memory.edit();
        for (auto depth = random() % 4; depth != 0 && at.size() != 0; --depth)
            if (const node inner = at.edit(random() % at.size())) at = inner;
        const char* const key = keys[random() % 8];
        const std::size_t place = random() % (at.size() + 1);
        const bool is_object = at.type() == value_type::object;
        const std::string_view text(texts.data(), random() % (random() % 20 == 0 ? 3000 : 60));
        const auto put = [&](const content& what) {
            return is_object ? at.set(key, what) : at.insert(place, what);
        };
        switch (random() % 16) {
        case 0: done += put(content::object()); break;
        case 1: done += put(content::array()); break;
        case 2: done += put(static_cast<std::int64_t>(random())); break;
        case 3: done += at.erase(place); break;
        default: done += put(text);
        }
    }
    return done;
}

// Usage.

TEST(bounded_document, keeps_within_what_it_reserved) {
    constexpr size_tier tiers[] = {{32, 512}, {80, 256}, {272, 64}, {1'040, 16}, {4'160, 8}};
    bounded_document memory({.name = "agent", .tiers = tiers, .keys_bytes_max = kibibytes(32)});
    (void)memory.set_root(content::object());
    node root = memory.edit();
    (void)root.set("role", "reviewer");
    const std::string text(5000, 'x');
    EXPECT_TRUE(!root.set("plan", std::string_view(text))); // no slot is so large: nothing changed
    EXPECT_EQ(last_refusal().who, name("agent")) << last_refusal().who.c_str() << last_refusal().asked.size;
    EXPECT_TRUE(memory.root().size() == 1) << memory.root().size();
    EXPECT_TRUE(memory.numbers().tree_bytes > 0 && memory.numbers().key_bytes > 0);
    EXPECT_TRUE(memory.close()); // every slot is free again
}

// Edges.

TEST(bounded_document, takes_nothing_after_its_start_in_100000_edits) { // LK1
    const unsigned seed = std::random_device{}();
    SCOPED_TRACE(::testing::Message() << "seed " << seed);
    std::mt19937 random(seed);
    auditing_source source(default_source());
    bounded_document memory(
        {.name = "agent", .tiers = small_tiers, .keys_bytes_max = kibibytes(24), .upstream = &source});
    std::size_t done = 0;
    {
        const no_allocation scope; // not one from the system
        done = memory.set_root(content::object()) ? edit_at_random(memory, random, 90'000) : 0;
        for (int round = 0; round != 10; ++round) { // and where it is full
            (void)memory.edit().set("filled", content::array());
            node filled = memory.edit().edit("filled");
            while (filled.push_back(std::string_view(texts).substr(0, random() % 200))) {
            }
            done += edit_at_random(memory, random, 1000);
        }
    }
    EXPECT_GT(done, 20'000);
    memory.check();
    EXPECT_EQ(source.usage().total_count, 1);
    EXPECT_GT(memory.usage().refused_count, 0); // it was full at times
    EXPECT_EQ(memory.usage().peak_held_bytes, memory.usage().held_bytes);
    EXPECT_TRUE(memory.close());
    EXPECT_EQ(memory.usage().live_count, 0);
}

TEST(bounded_document, says_which_tier_is_full_and_leaves_the_tree_unchanged) { // LK5
    noted_events told;
    bounded_document_options options = small();
    options.promotes = false;
    options.observer = &told;
    bounded_document memory(options);
    ASSERT_TRUE(memory.set_root(content::array()));
    const std::string long_text(200, 'x');
    const std::string_view text = long_text;
    while (memory.edit().push_back(text)) {
    }
    EXPECT_EQ(last_refusal().who, name("agent/256"));
    EXPECT_EQ(last_refusal().limit_bytes, 64 * 256);
    EXPECT_EQ(last_refusal().live_bytes, 64 * 256);
    EXPECT_GE(last_refusal().asked.size, 200);
    const std::size_t size = memory.root().size();
    EXPECT_GE(size, 60);
    const allot::usage before = memory.usage();
    EXPECT_FALSE(memory.edit().push_back(text));
    EXPECT_FALSE(memory.edit().set(0, text));
    EXPECT_FALSE(memory.edit().insert(3, text));
    EXPECT_EQ(memory.root().size(), size);
    EXPECT_EQ(memory.usage().live_bytes, before.live_bytes);
    memory.check();
    const auto warned = std::ranges::find(told.all, name("agent/256"), &event::who); // before it was full
    ASSERT_NE(warned, told.all.end());
    EXPECT_EQ(warned->what, event::type::filling);
    EXPECT_EQ(warned->limit_bytes, 64 * 256);
    EXPECT_EQ(warned->live_bytes, 58 * 256);
    EXPECT_TRUE(memory.edit().erase(0)); // room again
    EXPECT_TRUE(memory.edit().push_back(text));
}

TEST(bounded_document, bounds_its_keys) {
    bounded_document memory(small());
    ASSERT_TRUE(memory.set_root(content::array()));
    ASSERT_TRUE(memory.edit().push_back(content::object()));
    int count = 0;
    for (; count != 10'000; ++count) {
        const std::string key = "a key of some length, number " + std::to_string(count);
        if (!memory.edit().edit(std::size_t{0}).set(std::string_view(key), 1)) break;
        if (count % 50 != 49) continue;
        ASSERT_TRUE(memory.edit().set(0, content::object())); // members go, keys stay
    }
    EXPECT_LT(count, 10'000);
    EXPECT_EQ(last_refusal().who, name("agent.keys"));
    EXPECT_LE(memory.numbers().key_bytes, kibibytes(24));
    EXPECT_EQ(memory.root().size(), 1);
    memory.check();
    EXPECT_TRUE(memory.close());
    EXPECT_EQ(memory.numbers().key_bytes, 0);
}

TEST(bounded_document, says_who_has_what_at_its_end) { // LK7, B46
    noted_events told;
    {
        bounded_document_options options = small();
        options.observer = &told;
        bounded_document memory(options);
        ASSERT_TRUE(memory.set_root(content::object()));
        ASSERT_TRUE(memory.edit().set("role", "a reviewer of many words"));
        std::optional<document> kept(memory.snapshot());
        std::optional<bounded_string> beside(std::in_place, memory.pool(), "beside the tree");
        void* const forgotten = memory.pool().allocate({.size = 100, .align = 1});
        EXPECT_EQ(memory.numbers().other_bytes, 116);
        const result<void> ended = memory.close();
        ASSERT_FALSE(ended); // what could go went all the same
        EXPECT_FALSE(memory.root());
        const std::string text = ended.error().text();
        EXPECT_NE(text.find("bounded_document 'agent': 'agent/16' has 1 live slots"), std::string::npos)
            << text;
        EXPECT_NE(text.find("'agent/256' has "), std::string::npos) << text;
        EXPECT_NE(text.find("others 116"), std::string::npos) << text;
        EXPECT_EQ(text.find("snapshots have 0"), std::string::npos) << text;
        kept.reset();
        beside.reset();
        const result<void> again = memory.close();
        ASSERT_FALSE(again);
        EXPECT_EQ(again.error().text(),
                  "bounded_document 'agent': 'agent/256' has 1 live slots: 100 bytes are not "
                  "free: snapshots have 0, others 100");
        EXPECT_FALSE(
            memory.pool().try_give_back(static_cast<char*>(forgotten) + 1, {.size = 99, .align = 1}));
        EXPECT_TRUE(memory.set_root("used again"));
        EXPECT_TRUE(told.all.empty());
    }
    ASSERT_EQ(told.all.size(), 1); // and nothing else is missing
    EXPECT_EQ(told.all[0].what, event::type::unbalanced);
    EXPECT_EQ(told.all[0].who, name("agent/256"));
    EXPECT_EQ(told.all[0].bytes, 100);
}

TEST(bounded_document, reads_json_with_what_it_reserved) {
    if (!has_json()) GTEST_SKIP() << "allot was built without JSON";
    auditing_source source(default_source());
    bounded_document_options options = small();
    options.upstream = &source;
    options.json_bytes_max = 4000;
    bounded_document memory(options);
    std::string text = R"({"role": "reviewer", "notes": [)";
    for (int i = 0; i != 100; ++i) text += R"({"a": "text of some length", "b": [1, 2.5, null, true]},)";
    text.resize(3990);
    const std::string whole = R"({"role": "reviewer", "notes": [{"a": "text", "b": [1, 2.5]}, "second"]})";
    const std::string large = "\"" + std::string(4000, 'x') + "\"";
    const std::uint64_t taken = source.usage().total_count;
    std::string wide = "[";
    for (int i = 0; i != 1900; ++i) wide += "1,";
    wide += "1]";
    bool read = false, cut = true, too_large = true, too_wide = true, again = false;
    {
        const no_allocation scope;
        read = static_cast<bool>(memory.read_json(whole));
        cut = static_cast<bool>(memory.read_json(text));        // wrong at its end
        too_large = static_cast<bool>(memory.read_json(large)); // above json_bytes_max
        too_wide = static_cast<bool>(memory.read_json(wide));   // no slot is so large
        again = static_cast<bool>(memory.read_json(whole));
    }
    EXPECT_TRUE(read && again);
    EXPECT_FALSE(cut || too_large || too_wide);
    EXPECT_EQ(memory.root()["notes"][0]["b"][1].as_double(), 2.5); // as it was after each error
    EXPECT_EQ(source.usage().total_count, taken);
    memory.check();
    EXPECT_TRUE(memory.close());
    bounded_document without(small("without"));
    EXPECT_FALSE(without.read_json("1"));
}

TEST(bounded_document, prints_nothing) { // B47
    ::testing::internal::CaptureStdout();
    ::testing::internal::CaptureStderr();
    {
        bounded_document memory(small());
        ASSERT_TRUE(memory.set_root(content::array()));
        const std::string text(200, 'x');
        while (memory.edit().push_back(std::string_view(text))) {
        }
        (void)memory.pool().allocate({.size = 10, .align = 1});
        EXPECT_FALSE(memory.close());
    }
    EXPECT_EQ(::testing::internal::GetCapturedStdout(), "");
    EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
}

TEST(bounded_document, reserves_less_than_100_MiB_by_default) { // LK8
    page_source pages({.name = "pages"});
    bounded_document memory({.name = "agent", .upstream = &pages});
    EXPECT_TRUE(memory.is_ready());
    EXPECT_LE(pages.usage().held_bytes, mebibytes(100));
    ASSERT_TRUE(memory.set_root(content::array()));
    const std::string large(mebibytes(1) + 100, 'x');
    const std::string_view fits = std::string_view(large).substr(100);
    ASSERT_TRUE(memory.edit().push_back(fits));
    EXPECT_EQ(memory.root()[0].as_text(), fits);
    EXPECT_FALSE(memory.edit().push_back(std::string_view(large))); // refused with sizes
    EXPECT_EQ(last_refusal().limit_bytes, 1'048'640);
    memory.check();
}

// Shortage.

TEST(bounded_document, is_not_ready_where_its_memory_is_refused) {
    const std::uint64_t points = for_each_failure([](failing_source& source) {
        bounded_document_options options = small();
        options.upstream = &source;
        bounded_document memory(options);
        EXPECT_EQ(memory.is_ready(), source.refused_count() == 0);
        EXPECT_EQ(memory.set_root(content::array()), memory.is_ready());
        memory.check();
        EXPECT_TRUE(memory.close());
    });
    EXPECT_EQ(points, 1);
}

// Books.

TEST(bounded_document, accounts_for_every_byte) {
    std::mt19937 random(1);
    bounded_document memory(small());
    ASSERT_TRUE(memory.set_root(content::object()));
    for (int round = 0; round != 100; ++round) {
        (void)edit_at_random(memory, random, 100);
        memory.check(); // tree + keys + others + slack + free == capacity
        const bounded_document_numbers now = memory.numbers();
        EXPECT_EQ(now.other_bytes, 0);
        EXPECT_GT(now.slack_bytes, 0); // B48: a number
    }
    const document before = memory.snapshot();
    (void)edit_at_random(memory, random, 100);
    EXPECT_EQ(memory.numbers().other_bytes, 0);
    memory.check();
}

// Model.

TEST(bounded_document, does_what_an_unbounded_document_does_as_long_as_there_is_room) {
    const unsigned seed = std::random_device{}();
    SCOPED_TRACE(::testing::Message() << "seed " << seed);
    bounded_document memory({.name = "agent", .tiers = default_size_tiers});
    bounded_document other({.name = "other"}); // other tiers
    ASSERT_TRUE(memory.set_root(content::object()));
    ASSERT_TRUE(other.set_root(content::object()));
    std::mt19937 random(seed);
    std::mt19937 other_random(seed);
    document naive;
    for (int round = 0; round != 20; ++round) {
        EXPECT_EQ(edit_at_random(memory, random, 200), edit_at_random(other, other_random, 200));
        ASSERT_TRUE(naive.set_root(memory.root()));
        EXPECT_EQ(same_tree(memory.root(), other.root()), true);
        EXPECT_EQ(same_tree(memory.root(), naive.root()), true);
    }
    EXPECT_EQ(memory.usage().refused_count, 0);
}

} // namespace
} // namespace allot
