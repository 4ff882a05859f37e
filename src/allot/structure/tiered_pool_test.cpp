#include <allot/source/default_source.hpp>
#include <allot/source/page_source.hpp>
#include <allot/structure/tiered_pool.hpp>
#include <allot/testing/auditing_source.hpp>
#include <allot/testing/failing_source.hpp>
#include <allot/testing/for_each_failure.hpp>
#include <allot/testing/no_allocation.hpp>
#include <allot/testing/source_conformance.hpp>

#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <random>
#include <string>
#include <vector>

#if ALLOT_HAS_ASAN
#    include <sanitizer/asan_interface.h>
#endif
// A sanitizer's malloc ends the program at sizes that it finds absurd, unless told to refuse them.
extern "C" {
[[gnu::weak]] const char* __asan_default_options() { return "allocator_may_return_null=1"; }
[[gnu::weak]] const char* __tsan_default_options() { return "allocator_may_return_null=1"; }
}

namespace allot {
namespace {

constexpr std::size_t huge = static_cast<std::size_t>(-1);
constexpr size_tier small_tiers[] = {{16, 4}, {256, 3}, {kibibytes(4), 2}};

struct noted_events final : observer {
    std::vector<event> all;
    void observe(const event& what) noexcept override { all.push_back(what); }
};

layout bytes(std::size_t size) { return {.size = size, .align = 1}; }

// Usage.

TEST(tiered_pool, serves_from_the_smallest_tier_that_has_room) {
    constexpr size_tier tiers[] = {{.slot_bytes = 16, .slot_count = 2}, {256, 4}};
    tiered_pool texts({.name = "texts", .tiers = tiers});
    void* first = texts.allocate({.size = 16, .align = 1});
    void* second = texts.allocate({.size = 10, .align = 1});
    void* third = texts.allocate({.size = 5, .align = 1}); // the tier of 16 bytes is full
    EXPECT_TRUE(texts.numbers(0).promoted_count == 1 && texts.numbers(1).live_count == 1);
    EXPECT_TRUE(texts.try_give_back(third, {.size = 5, .align = 1}));
    EXPECT_TRUE(!texts.try_give_back(third, {.size = 5, .align = 1})); // refused: it is free
    texts.deallocate(first, {.size = 16, .align = 1});
    texts.deallocate(second, {.size = 10, .align = 1});
    EXPECT_TRUE(texts.usage().live_bytes == 0);
}

// Edges.

TEST(tiered_pool, chooses_the_tier_at_every_boundary) {
    tiered_pool pool({.tiers = small_tiers});
    const std::pair<std::size_t, std::size_t> expected[] = {{0, 0},   {1, 0},   {15, 0},  {16, 0},  {17, 1},
                                                            {255, 1}, {256, 1}, {257, 2}, {4096, 2}};
    for (const auto& [size, tier] : expected) {
        void* const block = pool.try_allocate(bytes(size));
        ASSERT_TRUE(block) << size;
        EXPECT_EQ(pool.numbers(tier).live_count, 1) << size;
        EXPECT_TRUE(pool.owns(block));
        EXPECT_TRUE(pool.surrounds(static_cast<std::byte*>(block) + 1));
        EXPECT_FALSE(pool.surrounds(&pool));
        pool.deallocate(block, bytes(size));
        EXPECT_FALSE(pool.owns(block));
    }
    for (const std::size_t size : {std::size_t{4097}, huge / 2, huge - 1, huge})
        EXPECT_FALSE(pool.try_allocate(bytes(size))) << size;
    EXPECT_EQ(pool.size_max(), 4096);
    pool.check();
}

TEST(tiered_pool, finds_the_tier_of_every_size_where_sizes_are_odd) {
    constexpr size_tier odd[] = {{32, 2}, {48, 3}, {112, 2}, {4112, 2}, {12288, 2}};
    tiered_pool pool({.tiers = odd, .promotes = false});
    for (std::size_t size = 1; size <= 12288; ++size) {
        std::size_t tier = 0;
        while (odd[tier].slot_bytes < size) ++tier;
        EXPECT_EQ(static_cast<memory_source&>(pool).good_size(bytes(size)), odd[tier].slot_bytes);
        void* const block = pool.try_allocate(bytes(size));
        ASSERT_TRUE(block);
        ASSERT_EQ(pool.numbers(tier).live_count, 1);
        std::memset(block, 1, size);
        pool.deallocate(block, bytes(size));
    }
    pool.check();
}

TEST(tiered_pool, aligns_to_what_a_slot_size_allows) {
    constexpr size_tier tiers[] = {{32, 5}, {48, 5}, {64, 5}, {kibibytes(8), 2}};
    tiered_pool pool({.tiers = tiers});
    for (const std::size_t align : {1, 16, 32, 64, 4096}) {
        void* const block = pool.try_allocate({.size = 20, .align = align});
        ASSERT_TRUE(block) << align;
        EXPECT_TRUE(is_aligned(block, align));
        pool.deallocate(block, {.size = 20, .align = align});
    }
    EXPECT_FALSE(pool.try_allocate({.size = 20, .align = 8192}));
    EXPECT_FALSE(pool.try_allocate(bytes(kibibytes(8) + 1)));
    for (std::size_t i = 0; i != 4; ++i) EXPECT_EQ(pool.numbers(i).promoted_count, 0); // none was full
    pool.check();
}

TEST(tiered_pool, takes_the_next_larger_tier_or_refuses_by_policy) { // LK5
    for (const bool promotes : {true, false}) {
        tiered_pool pool({.name = "texts", .tiers = small_tiers, .promotes = promotes});
        std::vector<void*> blocks;
        while (void* const block = pool.try_allocate(bytes(16))) blocks.push_back(block);
        EXPECT_EQ(blocks.size(), promotes ? 9 : 4);
        EXPECT_EQ(pool.numbers(0).promoted_count, promotes ? 5 : 0);
        EXPECT_EQ(pool.numbers(0).refused_count, 1);
        EXPECT_EQ(pool.numbers(1).refused_count, 0);
        EXPECT_EQ(pool.usage().refused_count, 1);
        EXPECT_EQ(last_refusal().who, name("texts/16")); // says which tier, and how much
        EXPECT_EQ(last_refusal().asked, bytes(16));
        EXPECT_EQ(last_refusal().limit_bytes, 64);
        EXPECT_EQ(last_refusal().live_bytes, 64);
        EXPECT_THROW((void)pool.allocate(bytes(16)), out_of_memory);
        pool.check();
        for (void* const block : blocks) pool.deallocate(block, bytes(16)); // whichever tier it came from
        for (std::size_t i = 0; i != 3; ++i)
            EXPECT_EQ(pool.numbers(i).free_count(), small_tiers[i].slot_count);
        EXPECT_FALSE(pool.try_allocate(bytes(5000)));
        EXPECT_EQ(last_refusal().who, name("texts"));
        EXPECT_EQ(last_refusal().limit_bytes, 4096); // both sizes
        EXPECT_EQ(last_refusal().asked.size, 5000);
    }
}

TEST(tiered_pool, refuses_what_is_not_its_own_at_every_check_level) { // LK6
    tiered_pool pool({.tiers = small_tiers});
    tiered_pool other({.tiers = small_tiers});
    auto* const block = static_cast<char*>(pool.allocate(bytes(100)));
    char local[100];
    EXPECT_FALSE(pool.try_give_back(local, bytes(100)));
    EXPECT_FALSE(pool.try_give_back(nullptr, bytes(100)));
    EXPECT_FALSE(other.try_give_back(block, bytes(100)));
    EXPECT_FALSE(pool.try_give_back(block + 1, bytes(100)));
    EXPECT_FALSE(pool.try_give_back(block + 16, bytes(16)));
    EXPECT_FALSE(pool.try_give_back(block + 256, bytes(100))); // a slot that was never handed out
    EXPECT_FALSE(pool.try_give_back(block, bytes(257)));
    EXPECT_FALSE(pool.try_give_back(block, {.size = 100, .align = 512}));
    EXPECT_EQ(pool.usage().live_bytes, 100);
    EXPECT_TRUE(pool.try_give_back(block, bytes(100)));
    EXPECT_FALSE(pool.try_give_back(block, bytes(100)));
    EXPECT_FALSE(pool.owns(block));
    pool.check();
}

TEST(tiered_pool, reports_slack_as_a_number) { // B48: 16 → 256 bytes is sixteenfold
    tiered_pool pool({.tiers = small_tiers});
    void* const block = pool.allocate(bytes(17));
    EXPECT_EQ(pool.numbers(1).slack_bytes(), 239);
    const allot::usage now = pool.usage();
    EXPECT_EQ(now.live_bytes, 17);
    EXPECT_EQ(now.held_bytes, now.live_bytes + now.slack_bytes + now.free_bytes);
    EXPECT_EQ(now.free_bytes, pool.capacity() - 256);
    EXPECT_GE(now.slack_bytes, 239 + 9 * 4);
    memory_source& source = pool;
    EXPECT_TRUE(source.try_resize(block, bytes(17), 256));
    EXPECT_EQ(pool.numbers(1).slack_bytes(), 0);
    EXPECT_FALSE(source.try_resize(block, bytes(256), 257));
    EXPECT_TRUE(source.try_resize(block, bytes(256), 3)); // stays where it is
    pool.deallocate(block, bytes(3));
    EXPECT_EQ(pool.usage().total_bytes, 256);
    EXPECT_EQ(pool.usage().peak_live_bytes, 256);
    pool.check();
}

TEST(tiered_pool, warns_once_for_each_crossing_of_its_mark) {
    noted_events told;
    constexpr size_tier tiers[] = {{16, 100}, {256, 1}};
    tiered_pool pool({.name = "texts", .tiers = tiers, .observer = &told});
    std::vector<void*> blocks;
    const auto grow_to = [&](std::size_t count) {
        while (blocks.size() < count) blocks.push_back(pool.allocate(bytes(16)));
    };
    const auto fall_to = [&](std::size_t count) {
        for (; blocks.size() > count; blocks.pop_back()) pool.deallocate(blocks.back(), bytes(16));
    };
    grow_to(89);
    EXPECT_EQ(told.all.size(), 0);
    grow_to(90);
    ASSERT_EQ(told.all.size(), 1);
    EXPECT_EQ(told.all[0].what, event::type::filling);
    EXPECT_STREQ(text(told.all[0].what), "is nearly full");
    EXPECT_EQ(told.all[0].who, name("texts/16"));
    EXPECT_EQ(told.all[0].live_bytes, 90 * 16);
    EXPECT_EQ(told.all[0].limit_bytes, 1600);
    for (int i = 0; i != 100; ++i) { // at the border: no flood
        fall_to(85);
        grow_to(100);
    }
    EXPECT_EQ(told.all.size(), 1);
    fall_to(78); // an eighth below the mark
    grow_to(89);
    EXPECT_EQ(told.all.size(), 1);
    grow_to(90);
    EXPECT_EQ(told.all.size(), 2);
    fall_to(0);
    for (std::size_t i = 0; i != 3; ++i) { // of one slot: full is nearly full
        pool.deallocate(pool.allocate(bytes(256)), bytes(256));
        ASSERT_EQ(told.all.size(), 3 + i);
        EXPECT_EQ(told.all[2 + i].who, name("texts/256"));
    }
}

TEST(tiered_pool, tells_its_observer_of_what_is_missing_at_its_end) { // LK7
    noted_events told;
    {
        tiered_pool pool(
            {.name = "a name of thirty-one bytes, full", .tiers = small_tiers, .observer = &told});
        (void)pool.allocate(bytes(100));
        (void)pool.allocate(bytes(50));
        pool.deallocate(pool.allocate(bytes(3000)), bytes(3000));
    }
    ASSERT_EQ(told.all.size(), 1);
    EXPECT_EQ(told.all[0].what, event::type::unbalanced);
    EXPECT_EQ(told.all[0].who, name("a name of thirty-one bytes,/256")) << told.all[0].who.c_str();
    EXPECT_EQ(told.all[0].bytes, 150);
    EXPECT_EQ(told.all[0].count, 2);
}

TEST(tiered_pool, has_the_defaults_of_a_document_within_100_MiB) { // LK1, LK8
    page_source pages({.name = "pages"});
    for (const std::span<const size_tier> tiers :
         {std::span<const size_tier>(default_size_tiers), std::span<const size_tier>(half_size_tiers)}) {
        tiered_pool pool({.tiers = tiers, .upstream = &pages});
        EXPECT_LE(pool.usage().held_bytes, mebibytes(90));
        EXPECT_EQ(pool.capacity(), mebibytes(80));
        void* const block = pool.allocate(bytes(mebibytes(1)));
        std::memset(block, 1, mebibytes(1));
        pool.deallocate(block, bytes(mebibytes(1)));
        pool.check();
    }
    EXPECT_EQ(pages.usage().live_count, 0);
}

TEST(tiered_pool, carries_std_containers) {
    constexpr size_tier tiers[] = {{64, 500}, {256, 500}, {kibibytes(4), 4}};
    tiered_pool pool({.tiers = tiers});
    {
        std::pmr::map<int, std::pmr::string> map(&pool);
        for (int i = 0; i != 500; ++i) map.emplace(i, "a text that is longer than a string's own buffer");
        EXPECT_EQ(pool.usage().live_count, 1000);
        pool.check();
    }
    EXPECT_EQ(pool.usage().live_count, 0);
}

TEST(tiered_pool, keeps_the_laws_of_a_source) {
    constexpr size_tier tiers[] = {{64, 4096}, {kibibytes(4), 2048}, {kibibytes(64), 64}, {mebibytes(2), 16}};
    for (const conformance_law& law : conformance_laws()) {
        auditing_source audited(default_source());
        tiered_pool subject({.tiers = tiers, .upstream = &audited});
        const conformance_limits limits{
            .size_max = mebibytes(2), .align_max = 4096, .bytes_max = mebibytes(4)};
        for (const std::string& finding : check_law(law, subject, limits))
            ADD_FAILURE() << law.name << ": " << finding;
    }
}

#if ALLOT_HAS_ASAN
TEST(tiered_pool, shows_its_dead_bytes) {
    tiered_pool pool({.tiers = small_tiers});
    auto* const block = static_cast<char*>(pool.allocate(bytes(24)));
    EXPECT_FALSE(__asan_address_is_poisoned(block + 23));
    EXPECT_TRUE(__asan_address_is_poisoned(block + 24));
    pool.deallocate(block, bytes(24));
    EXPECT_TRUE(__asan_address_is_poisoned(block));
}
#endif

// Shortage.

TEST(tiered_pool, refuses_everything_where_its_block_was_refused) {
    const std::uint64_t points = for_each_failure([](failing_source& source) {
        tiered_pool pool({.name = "texts", .tiers = small_tiers, .upstream = &source});
        void* const block = pool.try_allocate(bytes(10));
        EXPECT_EQ(block != nullptr, pool.capacity() != 0);
        if (!block) {
            EXPECT_EQ(last_refusal().who, name("texts"));
            EXPECT_EQ(pool.size_max(), 0);
            EXPECT_FALSE(pool.owns(&pool));
            EXPECT_EQ(pool.usage().refused_count, 1);
        }
        pool.check();
        pool.deallocate(block, bytes(10));
    });
    EXPECT_EQ(points, 1);
}

// Books.

TEST(tiered_pool, asks_upstream_once) {
    auditing_source source(default_source());
    {
        tiered_pool pool({.tiers = small_tiers, .upstream = &source});
        const no_allocation scope;
        for (int round = 0; round != 100; ++round) {
            void* blocks[9];
            for (void*& block : blocks) block = pool.try_allocate(bytes(5));
            EXPECT_FALSE(pool.try_allocate(bytes(5)));
            for (void* const block : blocks) pool.deallocate(block, bytes(5));
        }
        EXPECT_EQ(source.usage().total_count, 1);
    }
    EXPECT_EQ(source.live_count(), 0);
}

// Model.

TEST(tiered_pool, does_what_a_map_of_blocks_does) {
    const unsigned seed = std::random_device{}();
    SCOPED_TRACE(::testing::Message() << "seed " << seed);
    std::mt19937 random(seed);
    tiered_pool pool({.tiers = small_tiers});
    std::map<char*, std::pair<std::size_t, char>> naive; // size and contents
    std::uint64_t live_bytes = 0;
    for (int step = 0; step != 20000; ++step) {
        if (random() % 2 == 0) {
            const std::size_t size = random() % (random() % 3 == 0 ? 4200 : 20);
            auto* const block = static_cast<char*>(pool.try_allocate(bytes(size)));
            if (!block) {
                ASSERT_TRUE(size > 4096 || naive.size() >= 2);
                continue;
            }
            const std::size_t real = size + (size == 0);
            const auto mark = static_cast<char>(random());
            std::memset(block, mark, real);
            ASSERT_TRUE(naive.emplace(block, std::pair(real, mark)).second);
            live_bytes += real;
        } else if (!naive.empty()) {
            auto at = naive.begin();
            std::advance(at, random() % naive.size());
            const auto [size, mark] = at->second;
            for (std::size_t i = 0; i != size; ++i) ASSERT_EQ(at->first[i], mark);
            if (step % 3 == 0)
                ASSERT_TRUE(pool.try_give_back(at->first, bytes(size)));
            else
                pool.deallocate(at->first, bytes(size));
            live_bytes -= size;
            naive.erase(at);
        }
        ASSERT_EQ(pool.usage().live_count, naive.size());
        ASSERT_EQ(pool.usage().live_bytes, live_bytes);
        pool.check();
    }
    for (const auto& [block, what] : naive) pool.deallocate(block, bytes(what.first));
}

} // namespace
} // namespace allot
