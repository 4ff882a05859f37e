#include <allot/source/default_source.hpp>
#include <allot/structure/bounded_string.hpp>
#include <allot/structure/typed_pool.hpp>
#include <allot/testing/auditing_source.hpp>
#include <allot/testing/failing_source.hpp>
#include <allot/testing/for_each_failure.hpp>
#include <allot/testing/no_allocation.hpp>

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace allot {
namespace {

constexpr std::size_t huge = static_cast<std::size_t>(-1);
constexpr size_tier small_tiers[] = {{16, 4}, {64, 4}, {256, 2}};

std::string text_of(std::size_t size) {
    std::string made;
    for (std::size_t i = 0; i != size; ++i) made += static_cast<char>('a' + i % 26);
    return made;
}

// Usage.

TEST(bounded_string, moves_up_when_it_outgrows_its_slot) {
    constexpr size_tier tiers[] = {{.slot_bytes = 16, .slot_count = 4}, {256, 4}};
    tiered_pool texts({.name = "texts", .tiers = tiers});
    bounded_string thought(texts);
    thought.set("first, a plan");
    EXPECT_TRUE(thought.capacity() == 15);
    thought.append("; then another"); // moves up
    EXPECT_TRUE(thought.view() == "first, a plan; then another" && thought.capacity() == 255);
    EXPECT_TRUE(!thought.try_resize(256)); // refused whole
    thought.truncate(5);
    EXPECT_TRUE(thought.try_shrink() && thought.capacity() == 15);
    EXPECT_TRUE(texts.usage().live_bytes == 6); // "first" and its zero
    EXPECT_EQ(thought, "first");
}

// Edges.

TEST(bounded_string, holds_exactly_its_capacity) { // B39: never a character cut, at any boundary
    for (const std::size_t slot : {16, 64, 256}) {
        for (const std::size_t size : {slot - 2, slot - 1, slot}) {
            const std::string text = text_of(size);
            for (int how = 0; how != 4; ++how) {
                tiered_pool pool({.tiers = small_tiers});
                bounded_string string(pool);
                bool done = false;
                if (how == 0) done = string.try_set(text);
                if (how == 1) {
                    done = true;
                    for (const char each : text) done = done && string.try_append(each);
                }
                if (how == 2) done = string.try_resize(size, 'x');
                if (how == 3) done = string.try_insert(0, text);
                if (size == 256) { // beyond the largest
                    EXPECT_FALSE(done);
                    EXPECT_EQ(string.view(), how == 1 ? text.substr(0, 255) : "");
                    EXPECT_EQ(last_refusal().asked.size, 257);
                    EXPECT_EQ(last_refusal().limit_bytes, 256);
                    continue;
                }
                ASSERT_TRUE(done);
                EXPECT_EQ(string.view(), how == 2 ? std::string(size, 'x') : text);
                EXPECT_EQ(string.capacity(), size == slot ? slot * 4 - 1 : slot - 1);
                EXPECT_EQ(string.c_str()[size], '\0');
                EXPECT_EQ(std::strlen(string.c_str()), size);
                EXPECT_EQ(pool.usage().live_bytes, size + 1);
                EXPECT_EQ(pool.usage().live_count, 1);
            }
        }
    }
}

TEST(bounded_string, is_empty_without_a_slot) {
    tiered_pool pool({.tiers = small_tiers});
    bounded_string string(pool);
    EXPECT_EQ(string.view(), "");
    EXPECT_STREQ(string.c_str(), "");
    EXPECT_TRUE(string.try_set("") && string.try_append("") && string.try_insert(0, "") &&
                string.try_resize(0));
    EXPECT_TRUE(string.try_reserve(0));
    string.erase(0);
    string.clear();
    EXPECT_TRUE(string.try_shrink());
    EXPECT_EQ(string.capacity(), 0);
    EXPECT_EQ(pool.usage().total_count, 0);
    string.set("a");
    EXPECT_TRUE(string.try_set(""));
    EXPECT_EQ(string.capacity(), 15); // keeps the slot
    EXPECT_TRUE(string.try_shrink());
    EXPECT_EQ(pool.usage().live_count, 0);
}

TEST(bounded_string, appends_and_inserts_its_own_text_wherever_it_lies) { // B41
    for (std::size_t start = 0; start <= 15; ++start) {
        for (std::size_t count = 0; count <= 15 - start; ++count) {
            for (const std::size_t position : {std::size_t{0}, std::size_t{7}, std::size_t{15}}) {
                tiered_pool pool({.tiers = small_tiers});
                for (const bool moves : {true, false}) {
                    bounded_string string(pool, text_of(15));
                    if (!moves) string.reserve(60);
                    std::string naive = text_of(15);
                    string.insert(position, string.view().substr(start, count));
                    naive.insert(position, std::string(naive, start, count));
                    ASSERT_EQ(string.view(), naive) << start << ' ' << count << ' ' << position;
                    string.append(string.view());
                    naive += std::string(naive);
                    ASSERT_EQ(string.view(), naive);
                    string.set(string.view().substr(start, count));
                    ASSERT_EQ(string.view(), naive.substr(start, count));
                }
                pool.check();
            }
        }
    }
}

TEST(bounded_string, is_named_by_itself_while_its_bytes_move) { // B40
    tiered_pool pool({.tiers = small_tiers});
    typed_pool<bounded_string> strings({.name = "strings"});
    bounded_string* const name = strings.make(pool);
    const bounded_string* const other_owner_knows = name;
    name->set("short");
    const char* const before = name->data();
    name->append(text_of(60)); // up two tiers
    EXPECT_NE(name->data(), before);
    EXPECT_EQ(other_owner_knows->view(), "short" + text_of(60));
    EXPECT_TRUE(pool.owns(name->data()));
    EXPECT_FALSE(pool.owns(before));
    strings.destroy(name);
    EXPECT_EQ(pool.usage().live_count, 0);
}

TEST(bounded_string, refuses_lengths_that_overflow) {
    tiered_pool pool({.tiers = small_tiers});
    bounded_string string(pool, "text");
    for (const std::size_t size :
         {huge, huge - 1, huge - 4, huge / 2, std::size_t{1} << 32, (std::size_t{1} << 32) + 4}) {
        EXPECT_FALSE(string.try_resize(size));
        EXPECT_FALSE(string.try_reserve(size));
        EXPECT_FALSE(string.try_append(std::string_view("x", size))); // never read
        EXPECT_FALSE(string.try_set(std::string_view("x", size)));
        EXPECT_THROW(string.resize(size), out_of_memory);
        EXPECT_EQ(string, "text");
    }
    EXPECT_EQ(pool.usage().refused_count, 30);
    pool.check();
}

TEST(bounded_string, moves_its_slot_with_its_owner) {
    tiered_pool pool({.tiers = small_tiers});
    tiered_pool other({.tiers = small_tiers});
    bounded_string first(pool, "first");
    bounded_string second = std::move(first);
    EXPECT_EQ(second, "first");
    EXPECT_EQ(first, "");
    first.set("again");
    bounded_string third(other, text_of(30));
    third = std::move(first);
    EXPECT_EQ(third, "again");
    EXPECT_EQ(&third.pool(), &pool);
    EXPECT_EQ(other.usage().live_count, 0);
    third = std::move(*&third);
    EXPECT_EQ(third, "again");
    std::vector<bounded_string> many;
    for (int i = 0; i != 3; ++i) many.emplace_back(other, std::to_string(i));
    EXPECT_EQ(many[0], "0");
}

TEST(bounded_string, reports_its_slack) { // B48
    tiered_pool pool({.tiers = small_tiers});
    bounded_string string(pool, text_of(16));
    EXPECT_EQ(pool.numbers(1).slack_bytes(), 64 - 17);
    string.append(text_of(20));
    EXPECT_EQ(pool.numbers(1).slack_bytes(), 64 - 37);
    string.erase(1, 30);
    EXPECT_EQ(pool.numbers(1).slack_bytes(), 64 - 7);
    string.reserve(100);
    EXPECT_EQ(pool.numbers(2).slack_bytes(), 256 - 7);
    EXPECT_TRUE(string.try_shrink());
    EXPECT_EQ(pool.numbers(0).slack_bytes(), 16 - 7);
}

// Shortage.

TEST(bounded_string, keeps_its_text_when_a_move_fails) { // LK2, B39
    constexpr size_tier tiers[] = {{16, 2}, {64, 1}};
    tiered_pool pool({.name = "texts", .tiers = tiers});
    bounded_string blocker(pool, text_of(40));
    bounded_string string(pool, "0123456789");
    EXPECT_FALSE(string.try_append("abcdef"));
    EXPECT_EQ(last_refusal().who, name("texts/64"));
    EXPECT_EQ(last_refusal().asked.size, 17);
    EXPECT_FALSE(string.try_append(string.view()));
    EXPECT_FALSE(string.try_insert(3, "abcdef"));
    EXPECT_FALSE(string.try_set(text_of(16)));
    EXPECT_FALSE(string.try_resize(16));
    EXPECT_THROW(string.append("abcdef"), out_of_memory);
    EXPECT_EQ(string, "0123456789");
    EXPECT_TRUE(string.try_append("abcde"));
    bounded_string third(pool, "z");
    blocker.truncate(3);
    EXPECT_FALSE(blocker.try_shrink()); // no slot below: stays where it is
    EXPECT_EQ(blocker, "abc");
    third.release();
    EXPECT_TRUE(blocker.try_shrink());
    EXPECT_TRUE(string.try_append("f"));
    EXPECT_EQ(string, "0123456789abcdef");
    pool.check();
}

TEST(bounded_string, takes_a_larger_slot_where_its_tier_is_full) { // LK5
    constexpr size_tier tiers[] = {{16, 1}, {64, 1}};
    tiered_pool pool({.tiers = tiers});
    bounded_string first(pool, "first");
    bounded_string second(pool, "second");
    EXPECT_EQ(second.capacity(), 63);
    EXPECT_EQ(pool.numbers(0).promoted_count, 1);
    EXPECT_FALSE(second.try_shrink());
    first.release();
    EXPECT_TRUE(second.try_shrink());
    EXPECT_EQ(second, "second");
}

TEST(bounded_string, is_refused_where_the_pool_has_no_block) {
    (void)for_each_failure([](failing_source& source) {
        tiered_pool pool({.tiers = small_tiers, .upstream = &source});
        bounded_string string(pool);
        EXPECT_EQ(string.try_set("text"), pool.capacity() != 0);
        EXPECT_TRUE(string.try_shrink());
    });
}

// Books.

TEST(bounded_string, takes_nothing_from_elsewhere) {
    auditing_source source(default_source());
    tiered_pool pool({.tiers = small_tiers, .upstream = &source});
    const no_allocation scope;
    for (int round = 0; round != 1000; ++round) {
        bounded_string string(pool);
        for (int i = 0; i != 25; ++i) string.append("ten bytes ");
        string.truncate(20);
        EXPECT_TRUE(string.try_shrink());
    }
    EXPECT_EQ(pool.usage().live_count, 0);
    EXPECT_EQ(source.usage().total_count, 1);
}

// Model.

TEST(bounded_string, does_what_strings_do) {
    const unsigned seed = std::random_device{}();
    SCOPED_TRACE(::testing::Message() << "seed " << seed);
    std::mt19937 random(seed);
    tiered_pool pool({.tiers = small_tiers});
    std::vector<bounded_string> ours;
    for (int i = 0; i != 8; ++i) ours.emplace_back(pool);
    std::vector<std::string> naive(8);
    for (int step = 0; step != 30000; ++step) {
        const std::size_t at = random() % 8;
        bounded_string& one = ours[at];
        std::string& other = naive[at];
        const std::string_view from = ours[random() % 8].view(); // another, or its own
        const std::size_t start = random() % (from.size() + 1);
        const std::string_view part = from.substr(start, random() % 40);
        const std::string more = random() % 2 == 0 ? std::string(part) : text_of(random() % 40);
        const std::size_t place = random() % (other.size() + 1);
        switch (random() % 8) {
        case 0: {
            const std::string copy(part);
            if (one.try_set(part)) other = copy;
            break;
        }
        case 1:
            if (one.try_append(more)) other += more;
            break;
        case 2: {
            const std::string copy(part);
            if (one.try_append(part)) other += copy;
            break;
        }
        case 3:
            if (one.try_insert(place, more)) other.insert(place, more);
            break;
        case 4:
            one.erase(place, more.size());
            other.erase(place, more.size());
            break;
        case 5:
            if (one.try_resize(place * 2, 'z')) other.resize(place * 2, 'z');
            break;
        case 6: (void)one.try_shrink(); break;
        default:
            if (random() % 4 != 0) break;
            one.release();
            other.clear();
        }
        std::uint64_t live_bytes = 0;
        for (std::size_t i = 0; i != 8; ++i) {
            ASSERT_EQ(ours[i].view(), naive[i]);
            ASSERT_EQ(ours[i].c_str()[naive[i].size()], '\0');
            live_bytes += ours[i].capacity() == 0 ? 0 : ours[i].size() + 1;
        }
        ASSERT_EQ(pool.usage().live_bytes, live_bytes);
        pool.check();
    }
}

} // namespace
} // namespace allot
