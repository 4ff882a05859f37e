#include <allot/source/default_source.hpp>
#include <allot/structure/slot_map.hpp>
#include <allot/testing/auditing_source.hpp>
#include <allot/testing/for_each_failure.hpp>
#include <allot/testing/no_allocation.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <ranges>
#include <stdexcept>
#include <string>
#include <vector>

#if ALLOT_HAS_ASAN
#    include <sanitizer/asan_interface.h>
#endif

namespace allot {
namespace {

struct value32 {
    std::uint64_t words[4] = {};
};
static_assert(sizeof(slot_handle<value32>) == 8 && std::is_trivially_copyable_v<slot_handle<value32>>);
static_assert(std::forward_iterator<slot_map<int>::iterator>);
static_assert(std::forward_iterator<slot_map<int>::const_iterator>);
static_assert(std::ranges::forward_range<slot_map<int>> && std::ranges::forward_range<const slot_map<int>>);

TEST(slot_map, refuses_a_stale_handle_though_its_slot_lives_again) {
    slot_map<std::string> names({.name = "names"});
    slot_handle<std::string> first = names.emplace("Ada");
    slot_handle<std::string> second = names.insert("Grace");
    EXPECT_TRUE(*names.get(first) == "Ada" && names.at(second).size() == 5);
    EXPECT_TRUE(names.erase(first) && !names.erase(first));
    slot_handle<std::string> third = names.emplace("Barbara"); // takes the same slot
    EXPECT_TRUE(names.get(first) == nullptr && third.index() == first.index());
    for (std::string& name : names) name += "!";
    EXPECT_TRUE(names.count() == 2 && names.at(third) == "Barbara!");
    names.check();
}

// B37: an insert must not write through a removed index, nor make a stale handle valid again.
TEST(slot_map, makes_no_stale_handle_valid_however_often_a_slot_is_used) {
    slot_map<int> numbers;
    std::vector<slot_handle<int>> gone;
    const slot_handle<int> stays = numbers.emplace(-1);
    for (int i = 0; i != 1000; ++i) {
        const slot_handle<int> now = numbers.emplace(i);
        for (const slot_handle<int> old : gone) ASSERT_FALSE(numbers.contains(old));
        ASSERT_EQ(numbers.at(now), i);
        ASSERT_TRUE(numbers.erase(now));
        gone.push_back(now);
    }
    EXPECT_EQ(numbers.capacity(), 1024) << "one segment: the slots were used again";
    EXPECT_EQ(numbers.at(stays), -1);
    numbers.check();
}

TEST(slot_map, retires_a_slot_rather_than_begin_its_generations_again) {
    slot_map<int, 64> numbers({.count_max = 64, .generation_max = 5});
    std::vector<slot_handle<int>> all;
    for (int i = 0; i != 64 * 3; ++i) {
        all.push_back(numbers.emplace(i));
        EXPECT_LE(all.back().generation(), 5);
        numbers.erase(all.back());
        numbers.check();
    }
    EXPECT_EQ(numbers.capacity(), 0) << "each of 64 slots lived three times";
    std::ranges::sort(all);
    EXPECT_TRUE(std::ranges::adjacent_find(all) == all.end()) << "two values had one handle";
    const slot_handle<int> next = numbers.emplace(0);
    EXPECT_EQ(next.index(), 64) << "of a new segment";
    EXPECT_TRUE(std::ranges::none_of(all, [&](auto old) { return numbers.contains(old); }));
    numbers.release();
    EXPECT_EQ(numbers.emplace(0).index(), 64 + next.index() - 64) << "the first one stays retired";
    numbers.check();
}

TEST(slot_map, knows_null_and_forged_handles) {
    slot_map<int> numbers;
    EXPECT_FALSE(slot_handle<int>());
    EXPECT_EQ(numbers.get({}), nullptr);
    const slot_handle<int> one = numbers.emplace(1);
    EXPECT_TRUE(one);
    EXPECT_EQ(numbers.get({}), nullptr);
    EXPECT_EQ(slot_handle<int>::from_bits(one.bits()), one);
    // Generation 0 is what slots begin with; even ones are those of spare slots.
    for (const std::uint64_t bits : {std::uint64_t{0}, std::uint64_t{2} << 32, std::uint64_t{1} << 32 | 5000})
        EXPECT_EQ(numbers.get(slot_handle<int>::from_bits(bits)), nullptr);
    numbers.erase(one);
    EXPECT_FALSE(slot_handle<int>::from_bits(one.bits() + (std::uint64_t{1} << 32)));
    EXPECT_NE(std::hash<slot_handle<int>>()(one), std::hash<slot_handle<int>>()({}));
}

TEST(slot_map, keeps_addresses_while_it_grows) {
    slot_map<value32, 64> values;
    std::vector<std::pair<slot_handle<value32>, value32*>> all;
    for (std::uint64_t i = 0; i != 5000; ++i) {
        const slot_handle<value32> now = values.emplace(value32{{i}});
        all.emplace_back(now, values.get(now));
    }
    for (std::uint64_t i = 0; i != all.size(); ++i) {
        EXPECT_EQ(values.get(all[i].first), all[i].second);
        EXPECT_EQ(all[i].second->words[0], i);
    }
}

TEST(slot_map, holds_values_of_any_alignment_and_kind) {
    struct alignas(128) wide {
        char byte;
    };
    slot_map<wide> wides;
    slot_map<char> chars;
    slot_map<std::unique_ptr<int>> owned; // moves only
    for (int i = 0; i != 300; ++i) {
        EXPECT_TRUE(is_aligned(&wides.at(wides.emplace()), 128));
        EXPECT_EQ(chars.at(chars.emplace(static_cast<char>(i))), static_cast<char>(i));
        EXPECT_EQ(*owned.at(owned.insert(std::make_unique<int>(i))), i);
    }
    owned.erase_if([](const std::unique_ptr<int>& each) { return *each % 2 == 0; });
    EXPECT_EQ(owned.count(), 150);
    EXPECT_GT(owned.compact(), 0);
    for (const std::unique_ptr<int>& each : owned) EXPECT_EQ(*each % 2, 1);
    EXPECT_EQ(std::ranges::distance(owned), 150);
}

TEST(slot_map, changes_nothing_when_a_constructor_throws) {
    struct picky {
        explicit picky(int value) {
            if (value < 0) throw std::invalid_argument("picky");
        }
        std::string text = "a text that is too long for the object itself";
    };
    slot_map<picky, 64> all;
    for (int i = 0; i != 64; ++i) {
        EXPECT_THROW(all.emplace(-1), std::invalid_argument);
        EXPECT_THROW((void)all.try_emplace(-1), std::invalid_argument);
        const allot::usage before = all.usage();
        EXPECT_THROW(all.emplace(-1), std::invalid_argument);
        EXPECT_EQ(all.usage(), before);
        EXPECT_EQ(all.emplace(i).generation(), 1);
        all.check();
    }
    EXPECT_EQ(all.capacity(), 64) << "a slot was lost";
}

TEST(slot_map, lets_values_go_while_it_is_gone_through) {
    slot_map<int, 64> numbers;
    std::vector<slot_handle<int>> all;
    for (int i = 0; i != 1000; ++i) all.push_back(numbers.emplace(i));
    int met = 0;
    for (auto each = numbers.begin(); each != numbers.end(); ++each, ++met) {
        const auto i = static_cast<std::size_t>(*each);
        EXPECT_EQ(each.handle(), all[i]);
        if (i % 3 == 0) numbers.erase(all[i]);
        if (i % 3 == 0 && i + 1 < all.size()) numbers.erase(all[i + 1]); // the next one
    }
    EXPECT_EQ(met, 334 + 333);
    EXPECT_EQ(numbers.count(), 333);
    numbers.for_each([&](slot_handle<int> handle, int& value) {
        EXPECT_EQ(value % 3, 2);
        numbers.erase(handle);
        if (static_cast<std::size_t>(value) + 3 < all.size())
            numbers.erase(all[static_cast<std::size_t>(value) + 3]);
    });
    EXPECT_TRUE(numbers.is_empty());
    numbers.for_each([](int&) { FAIL(); });
    numbers.check();
}

// Full words and words with gaps are gone through differently: a call erases its own value, or one of the same
// word or of another.
TEST(slot_map, meets_no_value_that_a_call_before_erased) {
    for (const bool gaps : {false, true})
        for (std::size_t distance = 0; distance != 130; ++distance) {
            slot_map<std::size_t, 64> numbers;
            std::vector<slot_handle<std::size_t>> all;
            for (std::size_t i = 0; i != 300; ++i) all.push_back(numbers.emplace(i));
            if (gaps) numbers.erase_if([](std::size_t i) { return i % 7 == 5; });
            std::vector<bool> lives(all.size());
            for (std::size_t i = 0; i != all.size(); ++i) lives[i] = numbers.contains(all[i]);
            std::size_t next = 0;
            const auto meet = [&](std::size_t i) {
                while (next != i) ASSERT_FALSE(lives[next++]) << "not met, distance " << distance;
                ASSERT_TRUE(lives[next++]) << i << " met, distance " << distance;
                if (i % 5 != 1 || i + distance >= all.size()) return;
                numbers.erase(all[i + distance]);
                lives[i + distance] = false;
            };
            numbers.for_each([&](std::size_t& i) { meet(i); });
            next = 0;
            for (auto each = numbers.begin(); each != numbers.end(); ++each) meet(*each);
            numbers.check();
        }
}

TEST(slot_map, serves_constructors_and_destructors_that_use_it) {
    struct node {
        slot_map<node, 64>* map;
        slot_handle<node> child;
        node(slot_map<node, 64>* map, int depth) : map(map) {
            if (depth != 0) child = map->emplace(map, depth - 1);
        }
        node(const node&) = delete;
        ~node() { map->erase(child); }
    };
    slot_map<node, 64> nodes;
    const slot_handle<node> root = nodes.emplace(&nodes, 200);
    EXPECT_EQ(nodes.count(), 201);
    nodes.check();
    EXPECT_TRUE(nodes.erase(root));
    EXPECT_TRUE(nodes.is_empty());
    nodes.check();
    nodes.emplace(&nodes, 100);
    nodes.clear();
    EXPECT_TRUE(nodes.is_empty());
    nodes.emplace(&nodes, 100); // goes with the map
}

TEST(slot_map, never_holds_more_than_its_limits) {
    slot_map<value32> few({.name = "few", .count_max = 3});
    for (int i = 0; i != 3; ++i) EXPECT_TRUE(few.try_emplace());
    EXPECT_FALSE(few.try_emplace());
    EXPECT_EQ(last_refusal().who, name("few"));
    EXPECT_THROW(few.emplace(), out_of_memory);
    EXPECT_FALSE(few.try_reserve(1));
    EXPECT_EQ(few.usage().refused_count, 3);
    EXPECT_EQ(few.usage().limit_bytes, 96);
    for (std::uint64_t limit = 0; limit < 30000; limit += 777) {
        slot_map<value32, 64> values({.limit_bytes = limit});
        while (values.try_emplace()) {
        }
        EXPECT_LE(values.usage().peak_held_bytes, limit);
        EXPECT_EQ(last_refusal().who, name("slot_map"));
        EXPECT_TRUE(limit < 4000 || values.count() != 0);
        values.check();
    }
}

TEST(slot_map, reserves_so_that_nothing_can_fail_later) {
    failing_source upstream(default_source());
    slot_map<value32> values({.upstream = &upstream});
    ASSERT_TRUE(values.try_reserve(5000));
    EXPECT_GE(values.capacity(), 5000);
    upstream.plan({.at = 1, .lasting = true});
    for (int i = 0; i != 5000; ++i) values.emplace();
    EXPECT_THROW(values.reserve(5000), out_of_memory);
    values.check();
}

TEST(slot_map, survives_every_shortage_unchanged) {
    const std::uint64_t points = for_each_failure([](failing_source& source) {
        slot_map<std::string, 64> texts({.upstream = &source});
        std::vector<slot_handle<std::string>> all;
        for (int i = 0; i != 1100; ++i) {
            const allot::usage before = texts.usage();
            const slot_handle<std::string> now = texts.try_emplace(std::size_t{40}, 'x');
            if (!now) {
                EXPECT_EQ(texts.usage().live_count, before.live_count);
                EXPECT_EQ(texts.usage().refused_count, before.refused_count + 1);
                texts.check();
                EXPECT_TRUE(texts.try_emplace(std::size_t{40}, 'x')) << "only one request is refused";
            } else {
                all.push_back(now);
            }
        }
        for (std::size_t i = 0; i < all.size(); ++i)
            if (i % 5 != 0) texts.erase(all[i]);
        (void)texts.compact();
        texts.check();
        for (std::size_t i = 0; i < all.size(); i += 5) EXPECT_EQ(texts.at(all[i]).size(), 40);
    });
    EXPECT_GE(points, 18 + 2 + 18) << "segments, tables, packed segments";
}

TEST(slot_map, returns_each_block_once_and_takes_none_elsewhere) {
    auditing_source audited(default_source());
    {
        slot_map<value32, 64> values({.upstream = &audited});
        std::vector<slot_handle<value32>> all(3000);
        {
            no_allocation scope;
            for (slot_handle<value32>& each : all) each = values.emplace();
            EXPECT_EQ(audited.live_bytes(), values.usage().held_bytes);
            EXPECT_EQ(audited.live_count(), values.usage().held_count);
            const std::uint64_t requests = audited.usage().total_count;
            for (int round = 0; round != 10; ++round) { // the steady state
                for (slot_handle<value32>& each : all) {
                    values.erase(each);
                    each = values.emplace();
                }
            }
            EXPECT_EQ(audited.usage().total_count, requests);
            for (std::size_t i = 0; i != all.size(); ++i)
                if (i % 4 != 0) values.erase(all[i]);
            EXPECT_GT(values.compact(), 0);
            EXPECT_EQ(audited.live_bytes(), values.usage().held_bytes);
            EXPECT_EQ(audited.live_count(), values.usage().held_count);
        }
        values.check();
    }
    EXPECT_EQ(audited.live_count(), 0);
    EXPECT_EQ(audited.finding_count(), 0);
}

TEST(slot_map, takes_about_40_bytes_for_a_value_of_32) {
    slot_map<value32> values;
    for (int i = 0; i != 100'000; ++i) values.emplace();
    const allot::usage now = values.usage();
    EXPECT_LE(static_cast<double>(now.held_bytes) / 100'000, 40.5);
    EXPECT_EQ(now.live_bytes, 3'200'000);
    EXPECT_EQ(now.live_bytes + now.slack_bytes + now.free_bytes, now.held_bytes);
}

TEST(slot_map, poisons_what_is_dead) {
#if ALLOT_HAS_ASAN
    slot_map<value32> values;
    const slot_handle<value32> kept = values.emplace();
    const slot_handle<value32> gone = values.emplace();
    value32* const dead = values.get(gone);
    EXPECT_TRUE(__asan_address_is_poisoned(&dead[1].words[1])) << "a slot that never lived";
    values.erase(gone);
    EXPECT_TRUE(__asan_address_is_poisoned(dead));
    EXPECT_TRUE(__asan_address_is_poisoned(&dead->words[3]));
    EXPECT_FALSE(__asan_address_is_poisoned(values.get(kept)));
#else
    GTEST_SKIP() << "needs AddressSanitizer";
#endif
}

TEST(slot_map, is_stressed_with_a_million_values) {
    slot_map<std::uint64_t> numbers;
    std::vector<slot_handle<std::uint64_t>> all;
    for (std::uint64_t i = 0; i != 1'000'000; ++i) all.push_back(numbers.emplace(i));
    EXPECT_EQ(numbers.count(), 1'000'000);
    std::mt19937_64 random(7);
    std::ranges::shuffle(all, random);
    for (std::size_t i = 0; i != 500'000; ++i) EXPECT_TRUE(numbers.erase(all[i]));
    std::uint64_t sum = 0;
    for (const std::uint64_t each : numbers) sum += each;
    std::uint64_t expected = 0;
    for (std::size_t i = 500'000; i != all.size(); ++i) expected += numbers.at(all[i]);
    EXPECT_EQ(sum, expected);
    numbers.check();
}

} // namespace
} // namespace allot
