#include <recorder/collector/merger.hpp>

#include <deque>
#include <gtest/gtest.h>
#include <random>

namespace allot::recorder {
namespace {

constexpr std::uint64_t ring_words = 256;

struct received {
    std::uint32_t ring;
    std::uint64_t stamp;
    bool late;
    friend bool operator==(const received&, const received&) = default;
};

struct rings {
    explicit rings(std::uint32_t count, std::size_t bytes_max = 1 << 20) : merge(bytes_max) {
        for (std::uint32_t ring = 0; ring < count; ++ring) {
            words.emplace_back(ring_words);
            heads.push_back(0);
            last.push_back(0);
            merge.open(ring, words.back().data(), ring_words, 0, 0);
        }
    }
    void put(std::uint32_t ring, std::uint64_t stamp) {
        std::uint64_t& head = heads[ring];
        words[ring][head++ & (ring_words - 1)] = std::uint64_t{ALLOT_EVENT_STAMP} << 60 | stamp;
        words[ring][head++ & (ring_words - 1)] = std::uint64_t{ALLOT_EVENT_FREE} << 60 | ring;
        merge[ring].reader.extend(head);
        last[ring] = stamp;
    }
    bool has_room(std::uint32_t ring) { return heads[ring] - merge[ring].reader.read() + 2 <= ring_words; }
    std::size_t run(std::uint64_t limit) { return merge.run(limit, *this); }

    // merger's receiver
    void take(std::uint32_t ring, const ring_event& event, bool late) {
        seen.push_back({ring, event.stamp, late});
    }
    void prefetch(std::uint32_t, std::uint64_t) {}
    void progress(std::uint32_t) {}
    void ended(std::uint32_t process) { seen.push_back({1000 + process, 0, false}); }

    std::deque<std::vector<std::uint64_t>> words;
    std::vector<std::uint64_t> heads, last;
    merger merge;
    std::vector<received> seen;
};

TEST(merger, gives_the_events_of_all_rings_in_order) { // the header's example, with two
    rings all(2);
    all.put(0, 10);
    all.put(0, 30);
    all.put(1, 20);
    all.merge[0].horizon = all.merge[1].horizon = 100;
    EXPECT_EQ(all.run(100), 3u);
    EXPECT_EQ(all.seen, (std::vector<received>{{0, 10, false}, {1, 20, false}, {0, 30, false}}));
}

TEST(merger, holds_nothing_up_with_one_ring) {
    rings all(1);
    all.put(0, 10);
    EXPECT_EQ(all.run(10), 1u); // although its horizon is 0
}

TEST(merger, waits_for_a_ring_that_may_still_precede) {
    rings all(2);
    all.put(0, 10);
    all.put(0, 30);
    all.merge[1].horizon = 20; // its thread is in the middle of a hook since then
    EXPECT_EQ(all.run(100), 1u);
    all.put(1, 25);
    EXPECT_EQ(all.run(100), 1u); // 25; then ring 1 may precede 30 again
    all.merge[1].horizon = 40;
    EXPECT_EQ(all.run(100), 1u);
    EXPECT_EQ(all.seen, (std::vector<received>{{0, 10, false}, {1, 25, false}, {0, 30, false}}));
}

TEST(merger, goes_no_further_than_the_limit) {
    rings all(1);
    all.put(0, 10);
    all.put(0, 11);
    EXPECT_EQ(all.run(10), 1u);
    EXPECT_EQ(all.run(merger::for_ever), 1u);
}

TEST(merger, puts_ends_of_processes_in_their_place) {
    rings all(2);
    all.put(0, 10);
    all.put(0, 30);
    all.merge[1].horizon = 15;
    all.merge.end_process(8, 40);
    all.merge.end_process(7, 20);
    all.run(100);
    EXPECT_EQ(all.seen.size(), 1u); // ring 1 may still have something before 20
    all.merge[1].horizon = 100;
    all.merge[0].horizon = 100;
    all.run(100);
    EXPECT_EQ(all.seen,
              (std::vector<received>{{0, 10, false}, {1007, 0, false}, {0, 30, false}, {1008, 0, false}}));
}

TEST(merger, lets_no_producer_wait_for_another) {
    rings all(2);
    for (std::uint64_t stamp = 1; stamp <= 10'000; ++stamp) {
        if (!all.has_room(0)) {
            EXPECT_EQ(all.run(stamp), 0u); // ring 1 holds everything up
            all.merge.relieve();
            ASSERT_TRUE(all.has_room(0));
        }
        all.put(0, stamp + 10);
    }
    EXPECT_GT(all.merge.held_bytes(), 100'000u);
    all.put(1, 5);
    all.run(merger::for_ever);
    ASSERT_EQ(all.seen.size(), 10'001u);
    EXPECT_EQ(all.seen[0], (received{1, 5, false}));
    for (const received& each : all.seen) ASSERT_FALSE(each.late);
}

TEST(merger, gives_order_up_only_for_want_of_memory_and_says_what_came_late) {
    rings all(2, 8192);
    for (std::uint64_t stamp = 1; stamp <= 10'000; ++stamp) {
        if (!all.has_room(0)) {
            all.run(stamp + 10);
            all.merge.relieve();
            ASSERT_LT(all.merge.held_bytes(), 8192u + ring_words * 8);
        }
        all.put(0, stamp + 10);
    }
    EXPECT_GT(all.seen.size(), 9000u);
    all.put(1, 5);
    all.run(merger::for_ever);
    ASSERT_EQ(all.seen.size(), 10'001u);
    std::size_t late = 0;
    for (const received& each : all.seen) late += each.late;
    EXPECT_EQ(late, 1u);
}

TEST(merger, is_right_for_random_rings_that_are_in_hooks_at_times) {
    const unsigned seed = std::random_device{}();
    std::mt19937_64 random(seed);
    rings all(5);
    std::uint64_t now = 1;
    std::size_t written = 0;
    for (int step = 0; step < 50'000; ++step) {
        const auto ring = static_cast<std::uint32_t>(random() % 5);
        now += random() % 3;
        // A thread in a hook has taken its stamp some time ago, but not before it was last seen outside.
        const std::uint64_t stamp =
            now - random() % (now - std::max(all.merge[ring].horizon, all.last[ring]) + 1);
        if (all.has_room(ring)) {
            all.put(ring, stamp);
            ++written;
        }
        if (random() % 8 == 0) {
            for (std::uint32_t each = 0; each < 5; ++each)
                if (random() % 2) all.merge[each].horizon = std::max(all.merge[each].horizon, now);
            all.run(now);
            all.merge.relieve();
        }
    }
    all.run(merger::for_ever);
    ASSERT_EQ(all.seen.size(), written) << "seed " << seed;
    for (std::size_t i = 1; i < all.seen.size(); ++i) {
        ASSERT_FALSE(all.seen[i].late) << "seed " << seed;
        ASSERT_LE(all.seen[i - 1].stamp, all.seen[i].stamp) << "seed " << seed;
    }
}

} // namespace
} // namespace allot::recorder
