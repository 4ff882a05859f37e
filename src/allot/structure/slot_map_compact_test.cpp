// How a slot_map gives memory back, and the random comparison with a naive one.
#include <allot/source/default_source.hpp>
#include <allot/structure/slot_map.hpp>
#include <allot/testing/auditing_source.hpp>
#include <allot/testing/failing_source.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <vector>

namespace allot {
namespace {

using texts = slot_map<std::string, 64>;
using handle = texts::handle;

std::string text_of(std::size_t i) {
    return "a text that lies outside its object, number " + std::to_string(i);
}

struct filled {
    explicit filled(std::size_t count, memory_source* upstream = nullptr) : map({.upstream = upstream}) {
        for (std::size_t i = 0; i != count; ++i) all.push_back(map.emplace(text_of(i)));
    }
    // Erases all but each n-th.
    void thin(std::size_t n) {
        for (std::size_t i = 0; i != all.size(); ++i)
            if (i % n != 0) map.erase(all[i]);
    }
    void expect_each(std::size_t n) {
        std::size_t found = 0;
        for (std::size_t i = 0; i != all.size(); ++i) {
            const std::string* const value = map.get(all[i]);
            EXPECT_EQ(value != nullptr, i % n == 0);
            EXPECT_TRUE(!value || *value == text_of(i));
            found += value != nullptr;
        }
        EXPECT_EQ(found, map.count());
        map.check();
    }
    texts map;
    std::vector<handle> all;
};

TEST(slot_map_compact, trims_segments_where_nothing_lives_and_moves_no_value) {
    filled some(64 * 20);
    std::string* const first = some.map.get(some.all[0]);
    for (std::size_t i = 64; i != some.all.size(); ++i) some.map.erase(some.all[i]);
    const std::uint64_t held = some.map.usage().held_bytes;
    const std::uint64_t freed = some.map.trim();
    EXPECT_EQ(some.map.usage().held_bytes + freed, held);
    EXPECT_GT(freed, held / 20 * 18);
    EXPECT_EQ(some.map.get(some.all[0]), first);
    EXPECT_EQ(some.map.trim(), 0);
    some.map.check();
}

// B38: the generations of what went upstream still count.
TEST(slot_map_compact, refuses_stale_handles_to_slots_that_went_upstream_and_came_back) {
    filled some(64 * 5);
    const std::vector<handle> old = some.all;
    for (int round = 0; round != 4; ++round) {
        if (round % 2 == 0)
            some.map.release();
        else
            some.thin(1000), (void)some.map.compact(), (void)some.map.erase(some.all[0]);
        EXPECT_EQ(some.map.count(), 0);
        some.map.check();
        for (std::size_t i = 0; i != some.all.size(); ++i) {
            some.all[i] = some.map.emplace(text_of(i));
            EXPECT_LT(some.all[i].index(), 64 * 5 + 64) << "slots begin again";
        }
        for (const handle each : old) ASSERT_FALSE(some.map.contains(each));
        some.expect_each(1);
    }
}

// B38: not one handle dies.
TEST(slot_map_compact, keeps_every_handle_valid_where_values_are_scattered) {
    filled some(64 * 50);
    some.thin(8);
    const std::uint64_t held = some.map.usage().held_bytes;
    const std::uint64_t freed = some.map.compact();
    EXPECT_EQ(some.map.usage().held_bytes + freed, held);
    EXPECT_GT(freed, held / 100 * 75) << "an eighth lives";
    some.expect_each(8);
    EXPECT_EQ(some.map.compact(), 0) << "nothing more to be had";
    some.thin(16); // half of what is packed
    EXPECT_GT(some.map.compact(), 0) << "packed once more";
    some.expect_each(16);
    std::size_t met = 0;
    for (auto each = some.map.begin(); each != some.map.end(); ++each, ++met) {
        EXPECT_EQ(each.handle(), some.all[met * 16]);
        EXPECT_EQ(*each, text_of(met * 16));
    }
    EXPECT_EQ(met, 200);
    some.map.for_each([&](handle each, std::string& value) {
        EXPECT_EQ(&some.map.at(each), &value);
        some.map.erase(each);
    });
    EXPECT_EQ(some.map.count(), 0);
    (void)some.map.trim();
    EXPECT_LT(some.map.usage().held_bytes, 5000) << "the table alone";
    some.map.check();
}

TEST(slot_map_compact, uses_no_spare_slot_of_a_packed_segment_before_it_is_empty) {
    filled some(64);
    some.thin(32); // two values
    (void)some.map.compact();
    const handle next = some.map.emplace("next");
    EXPECT_EQ(next.index(), 64);
    const std::string* const stays = some.map.get(some.all[32]);
    some.map.erase(some.all[0]);
    EXPECT_EQ(some.map.get(some.all[32]), stays) << "an address changed without compact()";
    some.map.erase(some.all[32]);
    for (int i = 0; i != 64; ++i) EXPECT_LT(some.map.emplace("again").index(), 128);
    for (const handle old : some.all) EXPECT_FALSE(some.map.contains(old));
    some.map.check();
}

// B38: compact drops its mapping.
TEST(slot_map_compact, tells_the_new_handle_of_each_value_that_moves_to_the_front) {
    for (const bool packed_before : {false, true}) {
        filled some(64 * 50);
        some.thin(8);
        if (packed_before) {
            (void)some.map.compact();
            for (std::size_t i = 0; i != 10; ++i) some.map.erase(some.map.emplace("spare slots"));
        }
        const allot::usage before = some.map.usage();
        std::unordered_map<handle, handle> moved;
        const std::uint64_t freed = some.map.compact([&](handle old, handle now) {
            EXPECT_TRUE(some.map.contains(now) && !some.map.contains(old));
            EXPECT_TRUE(moved.emplace(old, now).second);
        });
        EXPECT_EQ(some.map.usage().held_bytes + freed, before.held_bytes);
        EXPECT_EQ(some.map.usage().total_count, before.total_count) << "a move is no insertion";
        EXPECT_EQ(some.map.usage().peak_live_bytes, before.peak_live_bytes);
        EXPECT_FALSE(moved.empty());
        for (handle& each : some.all) {
            if (!moved.contains(each)) continue;
            EXPECT_FALSE(some.map.contains(each));
            each = moved.at(each);
        }
        some.expect_each(8);
        if (packed_before) continue;
        for (std::size_t i = 0; i < some.all.size(); i += 8)
            EXPECT_LT(some.all[i].index(), 64 * 7) << "400 values";
        EXPECT_EQ(some.map.capacity(), 64 * 7);
    }
}

TEST(slot_map_compact, loses_nothing_when_its_visitor_throws) {
    filled some(64 * 10);
    some.thin(4);
    std::unordered_map<handle, handle> moved;
    EXPECT_THROW(some.map.compact([&](handle old, handle now) {
        moved.emplace(old, now);
        if (moved.size() == 7) throw std::runtime_error("enough");
    }),
                 std::runtime_error);
    for (handle& each : some.all)
        if (moved.contains(each)) each = moved.at(each);
    some.expect_each(4);
}

TEST(slot_map_compact, ends_early_where_upstream_has_nothing_for_it) {
    failing_source failing(default_source());
    auditing_source upstream(failing);
    {
        filled some(64 * 10, &upstream);
        some.thin(8);
        failing.plan({.at = 3, .lasting = true});
        EXPECT_GT(some.map.compact(), 0) << "two segments";
        some.expect_each(8);
        EXPECT_EQ(some.map.compact(), 0);
        some.expect_each(8);
        failing.plan({});
        EXPECT_GT(some.map.compact(), 0);
        some.expect_each(8);
        EXPECT_EQ(upstream.live_bytes(), some.map.usage().held_bytes);
    }
    EXPECT_EQ(upstream.live_count(), 0);
}

TEST(slot_map_compact, serves_destructors_that_erase_while_it_is_packed) {
    struct pair {
        slot_map<pair, 64>* map = nullptr;
        slot_handle<pair> other = {};
        pair(slot_map<pair, 64>* map, slot_handle<pair> other) : map(map), other(other) {}
        pair(pair&& from) noexcept : map(std::exchange(from.map, nullptr)), other(from.other) {}
        ~pair() {
            if (map) map->erase(other);
        }
    };
    slot_map<pair, 64> pairs;
    const slot_handle<pair> first = pairs.emplace(&pairs, slot_handle<pair>());
    const slot_handle<pair> second = pairs.emplace(&pairs, first);
    EXPECT_GT(pairs.compact(), 0);
    EXPECT_EQ(pairs.count(), 2);
    pairs.erase(second); // empties the segment from within
    EXPECT_EQ(pairs.count(), 0);
    (void)pairs.trim();
    pairs.check();
}

// Against std::unordered_map, with all that was ever erased beside it.
TEST(slot_map_model, behaves_as_a_map_of_all_handles_that_live) {
    const unsigned seed = std::random_device()();
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    for (int run = 0; run != 5; ++run) {
        texts map({.generation_max = run % 2 == 0 ? 9U : 100'001U});
        std::unordered_map<handle, std::string> model;
        std::vector<handle> gone;
        const auto forget = [&](handle each) {
            gone.push_back(each);
            model.erase(each);
        };
        for (std::size_t step = 0; step != 6000; ++step) {
            const auto what = static_cast<unsigned>(random() % 1000);
            if (what < (step / 1000 % 2 == 0 ? 600U : 350U)) {
                const handle now = map.emplace(text_of(step));
                ASSERT_TRUE(model.emplace(now, text_of(step)).second) << "two values had one handle";
            } else if (what < 985 && !model.empty()) {
                const handle each = std::next(model.begin(), random() % 30 % model.size())->first;
                ASSERT_EQ(map.at(each), model.at(each));
                ASSERT_TRUE(map.erase(each));
                forget(each);
            } else if (what < 987) {
                (void)map.trim();
            } else if (what < 993) {
                (void)map.compact();
            } else if (what < 997) {
                (void)map.compact([&](handle old, handle now) {
                    model.emplace(now, std::move(model.at(old)));
                    forget(old);
                });
            } else if (what < 998) {
                for (const auto& [each, value] : model) gone.push_back(each);
                model.clear();
                map.clear();
            }
            if (step % 50 != 0) continue;
            map.check();
            ASSERT_EQ(map.count(), model.size());
            std::size_t met = 0;
            for (auto each = map.begin(); each != map.end(); ++each, ++met)
                ASSERT_EQ(*each, model.at(each.handle()));
            ASSERT_EQ(met, model.size());
            for (const handle each : gone) ASSERT_FALSE(map.contains(each));
            const allot::usage now = map.usage();
            ASSERT_EQ(now.live_bytes + now.slack_bytes + now.free_bytes, now.held_bytes);
        }
    }
}

#if ALLOT_CHECK_LEVEL > 0
TEST(slot_map_death, dies_of_a_stale_handle_where_one_is_a_bug) {
    texts map({.name = "names"});
    const handle gone = map.emplace("gone");
    map.erase(gone);
    EXPECT_DEATH((void)map.at(gone), "fatal: slot_map 'names': handle 0:1 is stale");
}
#endif

} // namespace
} // namespace allot
